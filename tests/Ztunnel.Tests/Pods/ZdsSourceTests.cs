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
