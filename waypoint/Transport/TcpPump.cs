using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using Mesh.Net;

namespace Mesh.Waypoint.Transport;

/// <summary>Carries bytes both ways; the end of one direction is passed on and does not end the other.</summary>
internal sealed class TcpPump(TimeSpan idleTimeout, TimeProvider time)
{
    private const int BufferSize = 64 * 1024;

    public long BytesFromClient { get; private set; }

    public long BytesToClient { get; private set; }

    private long _lastActive;

    public async Task RunAsync(InboundConnection client, Stream upstream, CancellationToken cancellation)
    {
        using var broken = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        _lastActive = time.GetTimestamp();
        await using var idle = idleTimeout > TimeSpan.Zero ? time.CreateTimer(_ => EndIfIdle(broken), null, idleTimeout / 4, idleTimeout / 4) : null;
        var up = Guard(UpAsync(client.Input, upstream, broken.Token), broken);
        var down = Guard(DownAsync(upstream, client, broken.Token), broken);
        await Task.WhenAll(up, down);
    }

    private async Task UpAsync(PipeReader client, Stream upstream, CancellationToken cancellation)
    {
        while (true)
        {
            var read = await client.ReadAsync(cancellation);
            Volatile.Write(ref _lastActive, time.GetTimestamp());
            foreach (var segment in read.Buffer)
            {
                await upstream.WriteAsync(segment, cancellation);
                BytesFromClient += segment.Length;
            }

            await upstream.FlushAsync(cancellation);
            client.AdvanceTo(read.Buffer.End);
            if (!read.IsCompleted)
                continue;
            HalfClose.EndWriting(upstream);
            return;
        }
    }

    private async Task DownAsync(Stream upstream, InboundConnection client, CancellationToken cancellation)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
        try
        {
            while (true)
            {
                var count = await upstream.ReadAsync(buffer, cancellation);
                if (count == 0)
                    break;
                Volatile.Write(ref _lastActive, time.GetTimestamp());
                var flush = await client.Output.WriteAsync(buffer.AsMemory(0, count), cancellation);
                if (flush.IsCompleted)
                    throw new IOException("the client takes no more data");
                BytesToClient += count;
            }

            await client.EndWritingAsync();
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    // A quarter late at most.
    private void EndIfIdle(CancellationTokenSource broken)
    {
        if (time.GetElapsedTime(Volatile.Read(ref _lastActive)) >= idleTimeout)
            broken.Cancel();
    }

    // A direction that breaks (not: ends) takes the other with it.
    private static async Task Guard(Task direction, CancellationTokenSource broken)
    {
        try
        {
            await direction;
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException or SocketException)
        {
            await broken.CancelAsync();
        }
    }
}

/// <summary>The end of one direction on the streams that connections are made of.</summary>
internal static class HalfClose
{
    public static void EndWriting(Stream stream)
    {
        switch (stream)
        {
            case LoopPipeStream connection:
                connection.EndWrite();
                break;
            default:
                stream.Dispose();
                break;
        }
    }
}
