using Google.Protobuf;

using Istio.Workload.Zds;

using Mesh.Meshctl.Daemon;
using Mesh.Net;

namespace Mesh.Meshctl.Tests.Daemon;

/// <summary>The server side of the pod protocol against a scripted ztunnel.</summary>
public sealed class ZdsServerTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly string _root = Directory.CreateTempSubdirectory("meshctl-zds-").FullName;
    private readonly EventLoop _loop = EventLoop.Start("scripted ztunnel");
    private ZdsServer _server = null!;

    private string SocketPath => Path.Combine(_root, "zds.sock");

    public async Task InitializeAsync() => _server = await ZdsServer.StartAsync("node-1", SocketPath, _ => { });

    public async Task DisposeAsync()
    {
        await _server.DisposeAsync();
        _loop.Dispose();
        Directory.Delete(_root, recursive: true);
    }

    [Fact]
    public async Task Connection_FirstOfAll_GetsASnapshotThenChanges()
    {
        var early = _server.AddAsync(Pod("u1"), CancellationToken.None);
        await OnLoopAsync(async () =>
        {
            using var ztunnel = await ConnectAsync();
            Assert.Equal("u1", (await AnswerAsync(ztunnel)).Add.Uid);
            Assert.NotNull((await AnswerAsync(ztunnel)).SnapshotSent);
            Assert.Null(await early.WaitAsync(Patience));

            var late = _server.AddAsync(Pod("u2"), CancellationToken.None);
            Assert.Equal("u2", (await AnswerAsync(ztunnel)).Add.Uid);
            Assert.Null(await late.WaitAsync(Patience));

            var gone = _server.DeleteAsync("u1", CancellationToken.None);
            Assert.Equal("u1", (await AnswerAsync(ztunnel)).Del.Uid);
            await gone.WaitAsync(Patience);
        });
    }

    [Fact]
    public async Task Add_Refused_GivesTheReason() => await OnLoopAsync(async () =>
    {
        using var ztunnel = await ConnectAsync();
        Assert.NotNull((await AnswerAsync(ztunnel)).SnapshotSent);
        var added = _server.AddAsync(Pod("u1"), CancellationToken.None);
        await AnswerAsync(ztunnel, "failure to start proxy : no room");
        Assert.Equal("failure to start proxy : no room", await added.WaitAsync(Patience));
    });

    [Fact]
    public async Task Connection_AfterACrash_GetsEveryWantedPodAgain() => await OnLoopAsync(async () =>
    {
        using (var first = await ConnectAsync())
        {
            Assert.NotNull((await AnswerAsync(first)).SnapshotSent);
            var added = _server.AddAsync(Pod("u1"), CancellationToken.None);
            await AnswerAsync(first);
            await added.WaitAsync(Patience);
        }

        using var second = await ConnectAsync();
        Assert.Equal("u1", (await AnswerAsync(second)).Add.Uid);
        Assert.NotNull((await AnswerAsync(second)).SnapshotSent);
    });

    [Fact]
    public async Task Add_CarriesTheNamespaceItself() => await OnLoopAsync(async () =>
    {
        using var ztunnel = await ConnectAsync();
        Assert.NotNull((await AnswerAsync(ztunnel)).SnapshotSent);
        _ = _server.AddAsync(Pod("u1"), CancellationToken.None);
        var buffer = new byte[1024];
        var message = await ztunnel.ReceiveAsync(buffer);
        using var handle = Assert.Single(message.Descriptors);
        using var network = NetworkNamespace.FromDescriptor(handle);
        using var own = NetworkNamespace.Current();
        Assert.Equal(own.Id, network.Id);
    });

    [Fact]
    public async Task Add_NobodyAnswersInTime_SaysSo()
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromMilliseconds(50));
        Assert.Contains("node-1", await _server.AddAsync(Pod("u1"), deadline.Token), StringComparison.Ordinal);
    }

    private static AgentPod Pod(string uid) => new(uid, "name", "default", "default", "/proc/self/ns/net");

    private Task OnLoopAsync(Func<Task> story) => _loop.InvokeAsync(async () =>
    {
        await story();
        return true;
    });

    private async Task<UnixSeqpacketSocket> ConnectAsync()
    {
        var socket = UnixSeqpacketSocket.Connect(_loop, SocketPath);
        Assert.True(await socket.SendAsync(new ZdsHello { Version = Istio.Workload.Zds.Version.V1 }.ToByteArray()));
        return socket;
    }

    private static async Task<WorkloadRequest> AnswerAsync(UnixSeqpacketSocket socket, string error = "")
    {
        var buffer = new byte[1024];
        var message = await socket.ReceiveAsync(buffer);
        Assert.Equal(IoStatus.Done, message.Status);
        message.CloseDescriptors();
        Assert.True(await socket.SendAsync(new WorkloadResponse { Ack = new Ack { Error = error } }.ToByteArray()));
        return WorkloadRequest.Parser.ParseFrom(buffer.AsSpan(0, message.Count));
    }
}
