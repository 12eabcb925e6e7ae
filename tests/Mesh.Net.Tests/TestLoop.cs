using System.Collections.Concurrent;
using System.Net;

namespace Mesh.Net.Tests;

/// <summary>A loop for one test. Exceptions that escape fail the test at the end, unless it expected them.</summary>
internal sealed class TestLoop : IDisposable
{
    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    internal TestLoop(EventLoopOptions? options = null)
    {
        Loop = EventLoop.Start("test", (options ?? new EventLoopOptions()) with { UnhandledException = (e, what) => Escaped.Enqueue((e, what)) });
    }

    internal EventLoop Loop { get; }

    internal ConcurrentQueue<(Exception Exception, string What)> Escaped { get; } = new();

    internal bool ExpectsEscapes { get; init; }

    public void Dispose()
    {
        Loop.Dispose();
        if (!ExpectsEscapes)
            Assert.Empty(Escaped.Select(e => $"{e.What}: {e.Exception}"));
    }

    internal Task Run(Func<Task> story) => Loop.InvokeAsync(story).WaitAsync(Patience);

    internal Task<T> Run<T>(Func<Task<T>> story) => Loop.InvokeAsync(story).WaitAsync(Patience);

    internal Task<T> Get<T>(Func<T> function) => Loop.InvokeAsync(function).WaitAsync(Patience);

    internal Task Do(Action action) => Loop.InvokeAsync(action).WaitAsync(Patience);
}

/// <summary>Sockets for tests; all members are called on the loop.</summary>
internal static class Sockets
{
    internal static readonly IPEndPoint AnyLoopback = new(IPAddress.Loopback, 0);

    /// <summary>Two ends of one TCP connection, on the loops given.</summary>
    internal static async Task<(LoopSocket Client, LoopSocket Server)> PairAsync(EventLoop clientLoop, EventLoop? serverLoop = null, IPEndPoint? address = null)
    {
        serverLoop ??= clientLoop;
        var accepted = new TaskCompletionSource<LoopSocket>(TaskCreationOptions.RunContinuationsAsynchronously);
        var listener = await serverLoop.InvokeAsync(() => LoopListener.Listen(serverLoop, new ListenOptions { EndPoint = address ?? AnyLoopback }, accepted.SetResult));
        var client = await ConnectAsync(clientLoop, listener.LocalEndPoint);
        var server = await accepted.Task;
        await serverLoop.InvokeAsync(listener.Dispose);
        return (client, server);
    }

    internal static async Task<LoopSocket> ConnectAsync(EventLoop loop, IPEndPoint remote)
    {
        var result = await loop.InvokeAsync(async () => await LoopConnector.ConnectAsync(loop, new ConnectOptions { Remote = remote, Timeout = TestLoop.Patience }));
        Assert.Equal(ConnectFailure.None, result.Failure);
        return result.Socket!;
    }

    internal static async Task SendAllAsync(LoopSocket socket, ReadOnlyMemory<byte> data)
    {
        while (!data.IsEmpty)
        {
            switch (socket.TrySend(data.Span, out var sent))
            {
                case IoStatus.Done:
                    data = data[sent..];
                    break;
                case IoStatus.WouldBlock:
                    Assert.True(await socket.WaitWritableAsync());
                    break;
                default:
                    throw new IOException(socket.LastErrorText);
            }
        }
    }

    /// <summary>Receives until the buffer is full or the peer ends; gives the count.</summary>
    internal static async Task<int> ReceiveAllAsync(LoopSocket socket, Memory<byte> buffer)
    {
        var total = 0;
        while (total < buffer.Length)
        {
            var status = socket.TryReceive(buffer.Span[total..], out var count);
            if (status == IoStatus.Done)
                total += count;
            else if (status == IoStatus.EndOfStream)
                return total;
            else if (status == IoStatus.Failed)
                throw new IOException(socket.LastErrorText);
            else
                Assert.True(await socket.WaitReadableAsync());
        }

        return total;
    }

    /// <summary>Waits for the end of the stream or the failure of a socket that receives nothing more.</summary>
    internal static async Task<IoStatus> EndAsync(LoopSocket socket)
    {
        var buffer = new byte[1024];
        while (true)
        {
            var status = socket.TryReceive(buffer, out _);
            if (status is IoStatus.EndOfStream or IoStatus.Failed)
                return status;
            if (status == IoStatus.WouldBlock)
                Assert.True(await socket.WaitReadableAsync());
        }
    }
}
