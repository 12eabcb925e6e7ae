using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Mesh.Net;

namespace Mesh.Ztunnel.Outbound;

/// <summary>The server's half of SOCKS5 (RFC 1928): no authentication, CONNECT only. What it yields is where the client wants to go.</summary>
internal sealed class SocksHandshake(LoopSocket socket, Func<string, AddressFamily, ValueTask<IPAddress?>> resolve)
{
    private const byte Version = 5;
    private const byte NoAuthentication = 0;
    private const byte Connect = 1;
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(10);

    internal enum Reply : byte
    {
        Succeeded = 0,
        GeneralFailure = 1,
        HostUnreachable = 4,
        CommandNotSupported = 7,
    }

    private enum AddressType : byte
    {
        V4 = 1,
        Name = 3,
        V6 = 4,
    }

    /// <returns>Null: the client was told why and may be closed.</returns>
    public async Task<IPEndPoint?> RunAsync()
    {
        var deadline = socket.Loop.Schedule(Deadline, socket.Dispose);
        try
        {
            // (1) Methods: ours must be among them.
            if (await ReadAsync(2) is not { } greeting || greeting[0] != Version || await ReadAsync(greeting[1]) is not { } methods || !methods.Contains(NoAuthentication))
                return Refuse(Reply.CommandNotSupported);
            Send([Version, NoAuthentication]);

            // (2) Request.
            if (await ReadAsync(4) is not { } request || request[0] != Version || request[1] != Connect)
                return Refuse(Reply.CommandNotSupported);
            var (address, wasRead) = await ReadAddressAsync((AddressType)request[3]);
            if (!wasRead || await ReadAsync(2) is not { } port)
                return Refuse(Reply.CommandNotSupported);
            if (address is null)
                return Refuse(Reply.HostUnreachable);

            // (3) Told before the upstream stands, as the Rust ztunnel does: clients send their first bytes without waiting for more.
            Send(Answer(Reply.Succeeded));
            return new IPEndPoint(address, BinaryPrimitives.ReadUInt16BigEndian(port));
        }
        finally
        {
            deadline.Cancel();
        }
    }

    private async Task<(IPAddress? Address, bool WasRead)> ReadAddressAsync(AddressType type)
    {
        switch (type)
        {
            case AddressType.V4:
                return await ReadAsync(4) is { } v4 ? (new IPAddress(v4), true) : (null, false);
            case AddressType.V6:
                return await ReadAsync(16) is { } v6 ? (new IPAddress(v6), true) : (null, false);
            case AddressType.Name:
                if (await ReadAsync(1) is not { } length || await ReadAsync(length[0]) is not { } name)
                    return (null, false);
                return (await resolve(Encoding.UTF8.GetString(name), socket.RemoteEndPoint.AddressFamily), true);
            default:
                return (null, false);
        }
    }

    private async Task<byte[]?> ReadAsync(int count)
    {
        var buffer = new byte[count];
        var read = 0;
        while (read < count)
        {
            var status = socket.TryReceive(buffer.AsSpan(read), out var received);
            read += received;
            if (status is IoStatus.EndOfStream or IoStatus.Failed || (status == IoStatus.WouldBlock && !await socket.WaitReadableAsync()))
                return null;
        }
        return buffer;
    }

    private IPEndPoint? Refuse(Reply reply)
    {
        Send(Answer(reply));
        return null;
    }

    private static byte[] Answer(Reply reply) => [Version, (byte)reply, 0, (byte)AddressType.V4, 0, 0, 0, 0, 0, 0];

    // A dozen bytes on a fresh connection: the kernel takes them, or the client is gone.
    private void Send(ReadOnlySpan<byte> bytes) => socket.TrySend(bytes, out _);
}
