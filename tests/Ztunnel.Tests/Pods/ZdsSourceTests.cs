using Istio.Workload.Zds;
using Google.Protobuf;
using Mesh.Net;
using Mesh.Runtime.Logging;
using Mesh.Testing;
using Mesh.Ztunnel.Local;
using Mesh.Ztunnel.Pods;

namespace Mesh.Ztunnel.Tests.Pods;

/// <summary>How the node agent is called again after it has gone.</summary>
public sealed class ZdsSourceTests
{
    private static readonly byte[] Snapshot = new WorkloadRequest { SnapshotSent = new SnapshotSent() }.ToByteArray();

    [Fact]
    public async Task AgentThatHangsUpWithoutAWord_IsCalledAgainAfterGrowingDelays_OneThatSpokeAtOnce()
    {
        var folder = Directory.CreateTempSubdirectory("zds-");
        var time = new ManualTimeProvider();
        using var agent = EventLoop.Start("agent");
        using var control = EventLoop.Start("control", new EventLoopOptions { Time = time });
        using var calls = new SemaphoreSlim(0);
        var number = 0;
        var path = Path.Combine(folder.FullName, "s");
        var listener = await agent.InvokeAsync(() => UnixSeqpacketListener.Listen(agent, path, socket => agent.Spawn(() => AnswerAsync(socket, Interlocked.Increment(ref number) >= 3, calls))));
        var source = new ZdsSource(control, path, new PodManager(new NoPods(), new NoPods()), new LogSink(Stream.Null, LogFormat.Json, LogFilter.Default, time));
        var running = control.InvokeAsync(source.RunAsync);

        foreach (var delay in (int[])[20, 40])
        {
            await calls.WaitAsync();
            // The next call waits for its time, and for nothing less.
            await time.TimerIsSetAsync(TimeSpan.FromMilliseconds(delay));
            time.Advance(TimeSpan.FromMilliseconds(delay - 1));
            Assert.Equal(0, calls.CurrentCount);
            time.Advance(TimeSpan.FromMilliseconds(1));
        }

        // The third and all later ones say something useful: no clock moves between them.
        for (var i = 0; i < 3; i++)
            await calls.WaitAsync();

        await control.InvokeAsync(source.Stop);
        Assert.Null(await running);
        await agent.InvokeAsync(listener.Dispose);
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task Nonsense_IsAnsweredWithAnError_AppliesNothing_AndTheNextWordCounts()
    {
        byte[][] nonsense =
        [
            [0xFF, 0xFF, 0xFF],
            new WorkloadRequest { Add = new AddWorkload { Uid = "x", WorkloadInfo = new WorkloadInfo { Name = "x", Namespace = "x", ServiceAccount = "x" } } }.ToByteArray(),
            [.. Snapshot, .. new byte[2000]],
            [0x0a, 0x7f, 0x0a],
        ];
        var folder = Directory.CreateTempSubdirectory("zds-");
        using var agent = EventLoop.Start("agent");
        using var control = EventLoop.Start("control");
        var path = Path.Combine(folder.FullName, "s");
        var number = -1;
        var errors = new string[nonsense.Length];
        var accepted = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        var listener = await agent.InvokeAsync(() => UnixSeqpacketListener.Listen(agent, path, socket => agent.Spawn(async () =>
        {
            using (socket)
            {
                var buffer = new byte[4096];
                await socket.ReceiveAsync(buffer); // the greeting
                var turn = ++number;
                await socket.SendAsync(turn < nonsense.Length ? nonsense[turn] : Snapshot);
                var answer = await socket.ReceiveAsync(buffer);
                var error = answer.Status == IoStatus.Done ? WorkloadResponse.Parser.ParseFrom(buffer, 0, answer.Count).Ack.Error : $"{answer.Status}";
                if (turn < nonsense.Length)
                {
                    errors[turn] = error;
                    // The other side must hang up: the two disagree about what was said.
                    Assert.NotEqual(IoStatus.Done, (await socket.ReceiveAsync(buffer)).Status);
                    return;
                }

                accepted.TrySetResult(error);
                await socket.ReceiveAsync(buffer);
            }
        })));
        var pods = new PodManager(new NoPods(), new NoPods());
        var source = new ZdsSource(control, path, pods, new LogSink(Stream.Null, LogFormat.Json, LogFilter.Default, TimeProvider.System));
        var running = control.InvokeAsync(source.RunAsync);

        Assert.Equal(string.Empty, await accepted.Task.WaitAsync(TimeSpan.FromSeconds(60)));
        Assert.All(errors, Assert.NotEmpty);
        Assert.Equal((0, 0), await control.InvokeAsync(() => (pods.RunningCount, pods.PendingCount)));

        await control.InvokeAsync(source.Stop);
        Assert.Null(await running);
        await agent.InvokeAsync(listener.Dispose);
        folder.Delete(recursive: true);
    }

    private static async Task AnswerAsync(UnixSeqpacketSocket socket, bool isUseful, SemaphoreSlim calls)
    {
        using (socket)
        {
            var buffer = new byte[64];
            if (isUseful && await socket.SendAsync(Snapshot))
            {
                await socket.ReceiveAsync(buffer); // the greeting
                await socket.ReceiveAsync(buffer); // the acknowledgement
            }
        }

        calls.Release();
    }

    private sealed class NoPods : IPodProxyFactory, IPodEvents
    {
        public Task<IPodProxy> StartAsync(string uid, PodInfo info, PodNetwork network) => throw new InvalidOperationException("no pod is named here");

        public void PodStarted(string uid, PodInfo info)
        {
            // There are none.
        }

        public void PodStopped(string uid, PodInfo info)
        {
            // There are none.
        }

        public void PodStartFailed(string uid, PodInfo info, string reason)
        {
            // There are none.
        }

        public void PodRepaired(string uid, PodInfo info)
        {
            // There are none.
        }

        public void PodsChanged(int running, int pending, bool ready)
        {
            // Readiness has its own tests.
        }
    }
}
