using System.Runtime.InteropServices;
using System.Threading.Channels;

using Google.Protobuf;

using Istio.Workload.Zds;

using Mesh.Net;

using Microsoft.Win32.SafeHandles;

namespace Mesh.Meshctl.Daemon;

/// <summary>The connections of <see cref="ZdsServer"/>: each is one story on the server's loop.</summary>
internal sealed partial class ZdsServer
{
    // ztunnel reads into 1024 bytes and treats a longer datagram as an error; its answers are bounded by the same habit.
    private const int LargestMessage = 1024;

    private readonly EventLoop _loop;

    /// <summary>Opens the socket; the mode keeps other users of the machine from posing as a node agent.</summary>
    public static async Task<ZdsServer> StartAsync(string node, string path, Action<string> log)
    {
        var loop = EventLoop.Start($"zds {node}");
        var server = new ZdsServer(node, loop, log);
        await loop.InvokeAsync(() => UnixSeqpacketListener.Listen(loop, path, socket => loop.Spawn(() => server.ServeAsync(socket))));
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return server;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _loop.Dispose();
        _stop.Dispose();
    }

    private async Task ServeAsync(UnixSeqpacketSocket socket)
    {
        using var owned = socket;
        var buffer = new byte[LargestMessage];
        var hello = await socket.ReceiveAsync(buffer);
        hello.CloseDescriptors();
        if (hello.Status != IoStatus.Done || hello.IsTruncated || TryParse(ZdsHello.Parser, buffer.AsSpan(0, hello.Count)) is not { Version: Istio.Workload.Zds.Version.V1 })
        {
            _log($"a process connected as the ztunnel of {_node} and did not say hello");
            return;
        }

        var acks = Channel.CreateUnbounded<Ack>(new UnboundedChannelOptions { SingleReader = true });
        var peer = new Peer(socket, acks.Reader);
        _loop.Spawn(() => ReceiveAsync(socket, acks.Writer, buffer));
        var (orders, snapshot) = Register();
        try
        {
            foreach (var wanted in snapshot)
            {
                if (!await AddAsync(peer, wanted))
                    return;
            }

            if (await peer.AskAsync(new WorkloadRequest { SnapshotSent = new SnapshotSent() }) is null)
                return;
            _log($"the ztunnel of {_node} has its {snapshot.Count} pods");
            await FollowAsync(peer, orders.Reader);
            _log($"the ztunnel of {_node} has disconnected");
        }
        catch (OperationCanceledException)
        {
            // The mesh goes down.
        }
        finally
        {
            Unregister(orders);
        }
    }

    /// <summary>The only reader of the socket, so that its end is noticed between orders too.</summary>
    private static async Task ReceiveAsync(UnixSeqpacketSocket socket, ChannelWriter<Ack> acks, byte[] buffer)
    {
        while (true)
        {
            var message = await socket.ReceiveAsync(buffer);
            message.CloseDescriptors();
            if (message.Status != IoStatus.Done || message.IsTruncated || TryParse(WorkloadResponse.Parser, buffer.AsSpan(0, message.Count))?.Ack is not { } ack)
                break;
            acks.TryWrite(ack);
        }

        acks.TryComplete();
    }

    private async Task FollowAsync(Peer peer, ChannelReader<ZdsOrder> orders)
    {
        while (true)
        {
            var next = orders.WaitToReadAsync(_stop.Token).AsTask();
            if (await Task.WhenAny(next, peer.Gone) == peer.Gone || !await next)
                return;
            while (orders.TryRead(out var order))
            {
                if (order.Add is { } wanted)
                {
                    if (!await AddAsync(peer, wanted))
                        return;
                    continue;
                }

                var answer = await peer.AskAsync(new WorkloadRequest { Del = new DelWorkload { Uid = order.DeleteUid } });
                order.Deleted?.TrySetResult();
                if (answer is null)
                    return;
            }
        }
    }

    /// <summary>False when the connection is gone; the pod stays wanted and is in the next connection's snapshot.</summary>
    private static async Task<bool> AddAsync(Peer peer, Wanted wanted)
    {
        var pod = wanted.Pod;
        SafeFileHandle network;
        try
        {
            network = File.OpenHandle(pod.NetworkNamespacePath, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        }
        catch (IOException e)
        {
            wanted.Answer.TrySetResult(e.Message);
            return true; // removed meanwhile
        }

        using (network)
        {
            var request = new WorkloadRequest
            {
                Add = new AddWorkload
                {
                    Uid = pod.Uid,
                    WorkloadInfo = new WorkloadInfo { Name = pod.Name, Namespace = pod.Namespace, ServiceAccount = pod.ServiceAccount },
                },
            };
            var ack = await peer.AskAsync(request, network);
            if (ack is null)
                return false;
            wanted.Answer.TrySetResult(ack.Error.Length == 0 ? null : ack.Error);
            return true;
        }
    }

    /// <summary>A connected ztunnel: one question, one acknowledgement.</summary>
    private sealed class Peer(UnixSeqpacketSocket socket, ChannelReader<Ack> acks)
    {
        public Task Gone => acks.Completion;

        public async Task<Ack?> AskAsync(WorkloadRequest request, params SafeHandle[] descriptors)
        {
            if (!await socket.SendAsync(request.ToByteArray(), descriptors))
                return null;
            return await acks.WaitToReadAsync() && acks.TryRead(out var ack) ? ack : null;
        }
    }

    private static T? TryParse<T>(MessageParser<T> parser, ReadOnlySpan<byte> bytes)
        where T : class, IMessage<T>
    {
        try
        {
            return parser.ParseFrom(bytes);
        }
        catch (InvalidProtocolBufferException)
        {
            return null;
        }
    }
}
