using System.Buffers.Binary;
using Mesh.Net;

namespace Mesh.Ztunnel.Dns;

/// <summary>DNS over TCP (RFC 1035 4.2.2): length-prefixed questions, one after another, on a connection that ends when it is silent.</summary>
internal sealed class DnsTcpConnection(LoopSocket socket, DnsResolver resolver)
{
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(5);

    public async Task RunAsync()
    {
        using (socket)
        {
            var length = new byte[2];
            while (await ReadAsync(length))
            {
                var question = new byte[BinaryPrimitives.ReadUInt16BigEndian(length)];
                if (!await ReadAsync(question) || await resolver.AnswerAsync(question, isTcp: true) is not { } answer || !await WriteAsync(answer))
                    return;
            }
        }
    }

    private async Task<bool> ReadAsync(byte[] buffer)
    {
        var deadline = socket.Loop.Schedule(Silence, socket.Dispose);
        var read = 0;
        while (read < buffer.Length)
        {
            var status = socket.TryReceive(buffer.AsSpan(read), out var count);
            read += count;
            if (status is IoStatus.EndOfStream or IoStatus.Failed || (status == IoStatus.WouldBlock && !await socket.WaitReadableAsync()))
                break;
        }
        deadline.Cancel();
        return read == buffer.Length;
    }

    private async Task<bool> WriteAsync(byte[] answer)
    {
        var message = new byte[answer.Length + 2];
        BinaryPrimitives.WriteUInt16BigEndian(message, (ushort)answer.Length);
        answer.CopyTo(message, 2);
        var deadline = socket.Loop.Schedule(Silence, socket.Dispose);
        var sent = 0;
        while (sent < message.Length)
        {
            var status = socket.TrySend(message.AsSpan(sent), out var count);
            sent += count;
            if (status == IoStatus.Failed || (sent < message.Length && !await socket.WaitWritableAsync()))
                break;
        }
        deadline.Cancel();
        return sent == message.Length;
    }
}
