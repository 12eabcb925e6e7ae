using System.Text.Json;

using Mesh.Meshctl.Control;
using Mesh.Meshctl.Local;
using Mesh.Runtime;

namespace Mesh.Meshctl.Tests.Control;

public sealed class ControlProtocolTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("meshctl-control-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void Request_AsJson_ComesBackTheSame()
    {
        var request = new RunRequest { Name = "a", Labels = new(StringComparer.Ordinal) { ["app"] = "a" }, Program = ["sleep", "1 0"], ReadyPort = 80 };
        var json = JsonSerializer.Serialize<ControlRequest>(request, ControlJson.Default.ControlRequest);
        var back = Assert.IsType<RunRequest>(JsonSerializer.Deserialize(json, ControlJson.Default.ControlRequest));
        Assert.DoesNotContain('\n', json);
        Assert.Equal(request.Program, back.Program);
        Assert.Equal(request.Labels, back.Labels);
        Assert.Equal(80, back.ReadyPort);
    }

    [Fact]
    public async Task Ask_HandlerFails_GivesItsSentenceAndExitCode()
    {
        await using var server = Serve((_, _) => throw new MeshctlException(ExitCodes.TemporaryFailure, "not now."));
        var failure = await Assert.ThrowsAsync<MeshctlException>(() => ControlClient.AskAsync<DoneReply>(State, new DownRequest()));
        Assert.Equal(ExitCodes.TemporaryFailure, failure.ExitCode);
        Assert.Equal("not now.", failure.Message);
    }

    [Fact]
    public async Task Ask_NobodyListens_SaysHowToStart()
    {
        var failure = await Assert.ThrowsAsync<MeshctlException>(() => ControlClient.AskAsync<DoneReply>(State, new DownRequest()));
        Assert.Equal(ExitCodes.Unavailable, failure.ExitCode);
        Assert.Contains("meshctl up", failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Lease_CallerGoes_IsNoticedWithWhetherItReleased(bool releases)
    {
        var gone = new TaskCompletionSource<bool>();
        await using var server = Serve((_, connection) =>
        {
            connection.WhenGone = released =>
            {
                gone.SetResult(released);
                return Task.CompletedTask;
            };
            return Task.FromResult<ControlReply>(new DoneReply("held"));
        });
        var (_, lease) = await ControlClient.OpenAsync<DoneReply>(State, new LeaseRequest());
        Assert.False(gone.Task.IsCompleted);
        if (releases)
            await lease.WriteLineAsync("release", CancellationToken.None);
        await lease.DisposeAsync();
        Assert.Equal(releases, await gone.Task.WaitAsync(TimeSpan.FromSeconds(30)));
    }

    [Fact]
    public async Task Socket_Always_IsForItsOwnerOnly()
    {
        await using var server = Serve((_, _) => Task.FromResult<ControlReply>(new DoneReply(string.Empty)));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(State.ControlSocket));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(State.Path));
    }

    [Fact]
    public async Task Request_ThatIsNotUnderstood_SaysThatTheVersionsDiffer()
    {
        await using var server = Serve((_, _) => Task.FromResult<ControlReply>(new DoneReply(string.Empty)));
        using var socket = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Unspecified);
        await socket.ConnectAsync(new System.Net.Sockets.UnixDomainSocketEndPoint(State.ControlSocket));
        await using var lease = new ControlLease(socket);
        await lease.WriteLineAsync("{\"verb\":\"fly\"}", CancellationToken.None);
        var reply = JsonSerializer.Deserialize((await lease.ReadLineAsync(CancellationToken.None))!, ControlJson.Default.ControlReply);
        Assert.Equal(ExitCodes.Data, Assert.IsType<ErrorReply>(reply).ExitCode);
    }

    private StateDirectory State => StateDirectory.Of("t", _root);

    private ControlServer Serve(ControlHandler handler)
    {
        State.Create();
        var server = new ControlServer(handler, _ => { });
        server.Start(State.ControlSocket);
        return server;
    }
}
