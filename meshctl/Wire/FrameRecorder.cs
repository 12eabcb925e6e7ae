using System.Buffers.Binary;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;

namespace Mesh.Meshctl.Wire;

/// <summary>Writes every frame of one interface to a pcap file, which tcpdump and wireshark read too.</summary>
/// <remarks>Not tcpdump itself: that insists on changing its group list, which an unprivileged user namespace forbids (user_namespaces(7), setgroups).</remarks>
internal static class FrameRecorder
{
    // packet(7): every protocol, in network byte order.
    private const int AllProtocols = 0x0300;

    // Segmentation offload hands up frames far above the link's MTU.
    private const int LargestFrame = 128 * 1024;

    private const int ReceiveQueue = 8 * 1024 * 1024;

    public static async Task RunAsync(string interfaceName, string file, TimeProvider time, CancellationToken cancel)
    {
        var index = NetworkInterface.GetAllNetworkInterfaces().FirstOrDefault(i => i.Name == interfaceName)?.GetIPProperties().GetIPv4Properties().Index
            ?? throw new Local.MeshctlException(Runtime.ExitCodes.Usage, $"there is no interface '{interfaceName}' here.");
        using var socket = new Socket(AddressFamily.Packet, SocketType.Raw, (ProtocolType)AllProtocols) { ReceiveBufferSize = ReceiveQueue };
        socket.Bind(new LinkEndPoint(index));

        // FileShare.ReadWrite: whoever waits for a packet reads while this writes.
        await using var output = new FileStream(file, FileMode.Create, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        await output.WriteAsync(FileHeader(), cancel);
        var buffer = new byte[PacketHeader + LargestFrame];
        try
        {
            while (true)
            {
                var count = await socket.ReceiveAsync(buffer.AsMemory(PacketHeader), cancel);
                var now = time.GetUtcNow();
                BinaryPrimitives.WriteUInt32LittleEndian(buffer, (uint)now.ToUnixTimeSeconds());
                BinaryPrimitives.WriteUInt32LittleEndian(buffer.AsSpan(4), (uint)(now.Ticks % TimeSpan.TicksPerSecond / TimeSpan.TicksPerMicrosecond));
                BinaryPrimitives.WriteUInt32LittleEndian(buffer.AsSpan(8), (uint)count);
                BinaryPrimitives.WriteUInt32LittleEndian(buffer.AsSpan(12), (uint)count);
                await output.WriteAsync(buffer.AsMemory(0, PacketHeader + count), cancel);
            }
        }
        catch (OperationCanceledException)
        {
            // Asked to stop; every frame so far is in the file.
        }
    }

    private const int PacketHeader = 16;

    private static byte[] FileHeader()
    {
        // Magic, version 2.4, no time zone, no accuracy, snapshot length, link type 1 (Ethernet).
        var header = new byte[24];
        BinaryPrimitives.WriteUInt32LittleEndian(header, 0xa1b2c3d4);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(4), 2);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(6), 4);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(16), LargestFrame);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(20), 1);
        return header;
    }

    /// <summary>struct sockaddr_ll for an interface.</summary>
    private sealed class LinkEndPoint(int index) : EndPoint
    {
        private const int Size = 20;

        public override AddressFamily AddressFamily => AddressFamily.Packet;

        public override SocketAddress Serialize()
        {
            var address = new SocketAddress(AddressFamily.Packet, Size);
            address[2] = AllProtocols & 0xff;
            address[3] = AllProtocols >> 8;
            BinaryPrimitives.WriteInt32LittleEndian(address.Buffer.Span[4..], index);
            return address;
        }
    }
}
