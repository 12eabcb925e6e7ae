using System.Net;
using System.Threading.Channels;

using Mesh.Meshctl.Local;
using Mesh.Meshctl.Registration;
using Mesh.Testing;

namespace Mesh.Meshctl.Tests.Registration;

public sealed class RegistrantTests
{
    private static readonly TimeSpan _ttl = TimeSpan.FromSeconds(30);
    private readonly ManualTimeProvider _time = new();
    private readonly ControlPlane _plane = new();
    private readonly List<string> _said = [];
    private string? _fault;

    [Fact]
    public async Task Instance_IsRegisteredBeatsIsForgottenAndComesBackAndLeaves()
    {
        using var stop = new CancellationTokenSource();
        var running = Make().RunAsync(stop.Token);
        Assert.Equal("PUT /i {\"labels\":{},\"ttl\":\"30s\"}", await _plane.NextAsync());
        Assert.Equal("PUT /i/heartbeat {\"healthy\":true}", await _plane.NextAsync());
        _fault = "the disk is full";
        await TickAsync();
        Assert.Equal("PUT /i/heartbeat {\"healthy\":false,\"reason\":\"the disk is full\"}", await _plane.NextAsync());
        _fault = null;
        _plane.Answers.Enqueue(HttpStatusCode.NotFound);
        await TickAsync();
        Assert.Equal("PUT /i/heartbeat {\"healthy\":true}", await _plane.NextAsync());
        Assert.StartsWith("PUT /i {", await _plane.NextAsync(), StringComparison.Ordinal);
        Assert.Equal("PUT /i/heartbeat {\"healthy\":true}", await _plane.NextAsync());
        await stop.CancelAsync();
        Assert.Equal("DELETE /i ", await _plane.NextAsync());
        await running;
        Assert.Contains("/i is out: the disk is full", _said);
    }

    [Fact]
    public async Task ControlPlane_ThatIsAway_IsTriedAgain()
    {
        using var stop = new CancellationTokenSource();
        _plane.Answers.Enqueue(null);
        _plane.Answers.Enqueue(HttpStatusCode.ServiceUnavailable);
        var running = Make().RunAsync(stop.Token);
        await _plane.NextAsync();
        await TickAsync();
        await _plane.NextAsync();
        await TickAsync();
        Assert.StartsWith("PUT /i {", await _plane.NextAsync(), StringComparison.Ordinal);
        Assert.StartsWith("PUT /i/heartbeat", await _plane.NextAsync(), StringComparison.Ordinal);
        await stop.CancelAsync();
        await running;
    }

    [Fact]
    public async Task ControlPlane_ThatRefuses_EndsIt()
    {
        _plane.Answers.Enqueue(HttpStatusCode.Forbidden);
        var refused = await Assert.ThrowsAsync<MeshctlException>(() => Make().RunAsync(CancellationToken.None));
        Assert.Contains("403", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ExecCheck_TellsHowTheProgramEnded()
    {
        Assert.Null(await ExecCheck.RunAsync([], _ttl, CancellationToken.None));
        Assert.Null(await ExecCheck.RunAsync(["/bin/sh", "-c", "exit 0"], _ttl, CancellationToken.None));
        Assert.Equal("/bin/sh ended with 3", await ExecCheck.RunAsync(["/bin/sh", "-c", "exit 3"], _ttl, CancellationToken.None));
        Assert.Contains("did not end within", await ExecCheck.RunAsync(["/bin/sh", "-c", "sleep 60"], TimeSpan.FromMilliseconds(50), CancellationToken.None), StringComparison.Ordinal);
        Assert.Contains("cannot be run", await ExecCheck.RunAsync(["/no/such/program"], _ttl, CancellationToken.None), StringComparison.Ordinal);
    }

    private Registrant Make() =>
        new(new HttpClient(_plane) { BaseAddress = new Uri("https://plane") }, "/i", new RegistrationBody(null, new Dictionary<string, string>(), "30s"), () => "token", _ => Task.FromResult(_fault), _ttl, _time, _said.Add);

    private async Task TickAsync()
    {
        await _time.TimerIsSetAsync(_ttl / 3);
        _time.Advance(_ttl / 3);
    }

    private sealed class ControlPlane : HttpMessageHandler
    {
        private readonly Channel<string> _requests = Channel.CreateUnbounded<string>();

        /// <summary>What to answer next; null: not at all. When it is empty everything is well.</summary>
        public Queue<HttpStatusCode?> Answers { get; } = new();

        public Task<string> NextAsync() => _requests.Reader.ReadAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(60));

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Assert.Equal("Bearer token", request.Headers.Authorization?.ToString());
            var body = request.Content is null ? "" : await request.Content.ReadAsStringAsync(cancellationToken);
            _requests.Writer.TryWrite($"{request.Method} {request.RequestUri!.AbsolutePath} {body}");
            var answer = Answers.TryDequeue(out var next) ? next : HttpStatusCode.OK;
            return answer is { } status ? new HttpResponseMessage(status) : throw new HttpRequestException("away");
        }
    }
}
