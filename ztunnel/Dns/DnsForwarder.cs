using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Mesh.Net;
using Mesh.Ztunnel.Local;

namespace Mesh.Ztunnel.Dns;

/// <summary>Asks the real servers (those of our own resolv.conf) from the pod's namespace. Messages pass as they are; only the id is ours meanwhile.</summary>
internal sealed class DnsForwarder(PodLane lane, ResolvConf resolver)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>Two rounds over the servers, as resolvers do.</summary>
    private const int Attempts = 2;

    public async Task<(byte[]? Answer, string? Error)> ForwardAsync(byte[] question, bool isTcp)
    {
        var error = "no name server is configured";
        for (var attempt = 0; attempt < Attempts; attempt++)
        {
            foreach (var server in resolver.NameServers)
            {
                // A fresh id and a fresh port for each try: an answer cannot be guessed by who does not see the question.
                var message = (byte[])question.Clone();
                var id = (ushort)RandomNumberGenerator.GetInt32(ushort.MaxValue + 1);
                BinaryPrimitives.WriteUInt16BigEndian(message, id);
                var answer = isTcp ? await AskTcpAsync(server, message) : await AskUdpAsync(server, message);
                if (answer is null || !IsAnswerTo(answer, message))
                {
                    error = $"no answer from {server}";
                    continue;
                }
                question.AsSpan(0, 2).CopyTo(answer);
                // We are not the authority for what we passed on.
                answer[2] &= 0xFB;
                return (answer, null);
            }
        }
        return (null, error);
    }

    private static bool IsAnswerTo(byte[] answer, byte[] question) =>
        answer.Length >= DnsQuery.HeaderLength && (answer[2] & 0x80) != 0 && answer.AsSpan(0, 2).SequenceEqual(question.AsSpan(0, 2));

    private async Task<byte[]?> AskUdpAsync(IPEndPoint server, byte[] question)
    {
        var any = new IPEndPoint(server.AddressFamily == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any, 0);
        UdpSocket socket;
        try
        {
            socket = UdpSocket.Open(lane.Services.Loop, lane.Sockets.Udp(any) with { Peer = server, ReusePort = false });
        }
        catch (SocketFailureException)
        {
            return null;
        }
        using (socket)
        {
            if (socket.TrySend(question) != IoStatus.Done)
                return null;
            var deadline = lane.Services.Loop.Schedule(Patience / Attempts, socket.Dispose);
            var buffer = new byte[ushort.MaxValue];
            while (true)
            {
                var datagram = await socket.ReceiveAsync(buffer);
                if (datagram.Status != IoStatus.Done)
                {
                    deadline.Cancel();
                    return null;
                }
                var answer = buffer.AsSpan(0, datagram.Count).ToArray();
                if (!IsAnswerTo(answer, question))
                    continue; // late or forged: the real one may still come
                deadline.Cancel();
                return answer;
            }
        }
    }

    private async Task<byte[]?> AskTcpAsync(IPEndPoint server, byte[] question)
    {
        var connected = await LoopConnector.ConnectAsync(lane.Services.Loop, lane.Sockets.Connect(server) with { Timeout = Patience });
        if (connected.Socket is not { } socket)
            return null;
        using (socket)
        {
            var deadline = lane.Services.Loop.Schedule(Patience, socket.Dispose);
            var framed = new byte[question.Length + 2];
            BinaryPrimitives.WriteUInt16BigEndian(framed, (ushort)question.Length);
            question.CopyTo(framed, 2);
            byte[]? answer = null;
            if (socket.TrySend(framed, out var sent) == IoStatus.Done && sent == framed.Length)
            {
                var length = new byte[2];
                if (await ReadAsync(socket, length))
                {
                    answer = new byte[BinaryPrimitives.ReadUInt16BigEndian(length)];
                    answer = await ReadAsync(socket, answer) ? answer : null;
                }
            }
            deadline.Cancel();
            return answer;
        }
    }

    private static async Task<bool> ReadAsync(LoopSocket socket, byte[] buffer)
    {
        var read = 0;
        while (read < buffer.Length)
        {
            var status = socket.TryReceive(buffer.AsSpan(read), out var count);
            read += count;
            if (status is IoStatus.EndOfStream or IoStatus.Failed || (status == IoStatus.WouldBlock && !await socket.WaitReadableAsync()))
                return false;
        }
        return true;
    }
}
