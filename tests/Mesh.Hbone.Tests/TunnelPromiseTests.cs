using System.Net;
using System.Net.Sockets;
using Mesh.Net;
using Mesh.Testing;

namespace Mesh.Hbone.Tests;

/// <summary>What tunnels promise beyond those of the Rust ztunnel.</summary>
public sealed class TunnelPromiseTests
{
    private const int HeaderLength = 9;
    private const byte Ping = 6;
    private static readonly byte[] Settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    private static readonly byte[] WindowUpdate = [0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1];

    [Fact]
    public async Task Ping_IsSentOnSilenceOnly_AndItsAnswerIsWaitedForOnce()
    {
        var time = new ManualTimeProvider();
        using var loop = EventLoop.Start("silence", new EventLoopOptions { Time = time });
        var wire = new Wire(loop);
        var connection = await loop.InvokeAsync(() =>
        {
            var client = new HboneClientConnection(loop, wire, new HboneOptions(), null, new IPEndPoint(IPAddress.Loopback, 1), new IPEndPoint(IPAddress.Loopback, 2));
            client.Start();
            wire.Receive(Settings);
            return client;
        });

        // A minute in which the peer says something every nine seconds.
        for (var i = 0; i < 7; i++)
        {
            await loop.InvokeAsync(() => wire.Receive(WindowUpdate));
            await AdvanceAsync(loop, time, TimeSpan.FromSeconds(9));
        }
        Assert.Equal(0, wire.Count(Ping));

        await AdvanceAsync(loop, time, TimeSpan.FromSeconds(2));
        Assert.Equal(1, wire.Count(Ping));
        Assert.False(connection.IsClosed);

        await AdvanceAsync(loop, time, TimeSpan.FromSeconds(21));
        Assert.Equal(1, wire.Count(Ping));
        Assert.True(connection.IsClosed);
    }

    [Fact]
    public async Task PeerThatIsSilent_BlocksNoOtherKey()
    {
        using var rig = new TunnelRig();
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        var slow = rig.OpenAsync(rig.Target() with { Address = (IPEndPoint)silent.LocalEndpoint });

        var others = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => rig.OpenAsync(rig.Target(client: $"198.18.1.{20 + (i % 4)}"))));

        Assert.All(others, o => Assert.True(o.Result.IsOpen, o.Result.Error));
        Assert.False(slow.IsCompleted);
        silent.Stop(); // resets what it never took
        Assert.False((await slow).Result.IsOpen);
    }

    [Fact]
    public async Task Drain_ReachesPooledTunnels_UsedOnesFinish_UnusedOnesGo()
    {
        using var rig = new TunnelRig();
        var used = await rig.OpenAsync();
        var unused = await rig.OpenAsync(rig.Target(client: "198.18.1.12"));
        rig.OnClient(() => { unused.Recorder!.Tunnel.EndWrite(); return 0; });
        await unused.Recorder!.AllData;

        rig.OnClient(() => { rig.Pool.Drain(); return 0; });
        await UntilAsync(rig, 1);
        rig.OnClient(() => used.Recorder!.Tunnel.Write("still"u8));
        await used.Recorder!.ReceivedAsync(5);
        rig.OnClient(() => { used.Recorder.Tunnel.EndWrite(); return 0; });

        Assert.Equal("still"u8.ToArray(), await used.Recorder.AllData);
        await UntilAsync(rig, 0);
    }

    private static async Task UntilAsync(TunnelRig rig, int connections)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (rig.OnClient(() => rig.Pool.ConnectionCount) != connections || rig.OnServer(() => rig.Acceptor.Connections.Count) != connections)
            await Task.Delay(10, patience.Token);
    }

    private static async Task AdvanceAsync(EventLoop loop, ManualTimeProvider time, TimeSpan by)
    {
        time.Advance(by);
        // The loop looks at its clock once in an iteration and at its timers in the next.
        for (var i = 0; i < 3; i++)
            await loop.InvokeAsync(() => true);
    }

    /// <summary>Keeps what is written; the test is the peer.</summary>
    private sealed class Wire(EventLoop loop) : ITransport
    {
        private readonly List<byte> _written = [];
        private ITransportHandler? _handler;

        public EventLoop Loop => loop;

        public int PendingBytes => 0;

        public bool IsCongested => false;

        public void Start(ITransportHandler handler) => _handler = handler;

        public void Receive(byte[] data) => _handler!.OnReceived(data);

        public void Write(ReadOnlyMemory<byte> plaintext)
        {
            lock (_written)
                _written.AddRange(plaintext.Span);
        }

        /// <summary>Frames of a type, after the client's preface.</summary>
        public int Count(byte type)
        {
            byte[] written;
            lock (_written)
                written = _written.ToArray();
            var count = 0;
            for (var at = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".Length; at + HeaderLength <= written.Length;)
            {
                count += written[at + 3] == type ? 1 : 0;
                at += HeaderLength + (written[at] << 16 | written[at + 1] << 8 | written[at + 2]);
            }
            return count;
        }

        public void PauseReceiving()
        {
        }

        public void ResumeReceiving()
        {
        }

        public void CloseAfterFlush()
        {
        }

        public void Abort()
        {
        }

        public void Dispose()
        {
        }
    }
}
