using Mesh.Runtime.Logging;
using Mesh.Testing;

namespace Mesh.Runtime.Tests;

public sealed class ReadinessAndDrainTests
{
    private readonly ManualTimeProvider _time = new();

    [Fact]
    public async Task Readiness_ListsWhatIsPendingInOrder()
    {
        var readiness = new Readiness(_time);
        using var manager = readiness.Register("workload proxy manager");
        var state = readiness.Register("state manager");
        Assert.Equal("not ready, pending: state manager, workload proxy manager\n", readiness.Text);
        state.Complete();
        state.Complete();
        Assert.Equal("not ready, pending: workload proxy manager\n", readiness.Text);
        Assert.False(readiness.Ready.IsCompleted);
        manager.Complete();
        Assert.Equal("ready\n", readiness.Text);
        await readiness.Ready;
    }

    [Fact]
    public void Readiness_LogsEachTaskWithItsTime()
    {
        using var output = new MemoryStream();
        using var sink = new LogSink(output, LogFormat.Text, LogFilter.Default, _time);
        var readiness = new Readiness(_time, sink.For("ztunnel::readiness"));
        var dns = readiness.Register("dns proxy");
        var state = readiness.Register("state manager");
        _time.Advance(TimeSpan.FromTicks(44895));
        dns.Complete();
        _time.Advance(TimeSpan.FromSeconds(1));
        state.Complete();
        sink.Flush();
        var lines = System.Text.Encoding.UTF8.GetString(output.ToArray()).Split('\n');
        Assert.EndsWith("\tinfo\treadiness\tTask 'dns proxy' complete (4.4895ms), still awaiting 1 tasks\t", lines[0], StringComparison.Ordinal);
        Assert.EndsWith("\tTask 'state manager' complete (1.0044895s), marking server ready\t", lines[1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Drain_WithNothingToWaitFor_EndsAtOnce()
    {
        using var drain = new Drain(_time);
        Assert.True(await drain.RunAsync(TimeSpan.FromSeconds(5)));
        Assert.True(drain.Graceful.IsCancellationRequested);
        Assert.True(drain.Forced.IsCancellationRequested);
    }

    [Fact]
    public async Task Drain_WaitsForItsHolds()
    {
        using var drain = new Drain(_time);
        var inbound = drain.Hold("inbound");
        var outbound = drain.Hold("outbound");
        var running = drain.RunAsync(TimeSpan.FromSeconds(5));
        Assert.True(drain.IsDraining);
        inbound.Dispose();
        inbound.Dispose();
        Assert.False(drain.Forced.IsCancellationRequested);
        Assert.Equal(["outbound"], drain.Holds);
        outbound.Dispose();
        Assert.True(await running);
    }

    [Fact]
    public async Task Drain_PastItsDeadline_IsForced()
    {
        using var drain = new Drain(_time);
        using var hold = drain.Hold("stuck");
        var running = drain.RunAsync(TimeSpan.FromSeconds(5));
        await _time.TimerIsSetAsync(TimeSpan.FromSeconds(5));
        _time.Advance(TimeSpan.FromSeconds(5));
        Assert.False(await running);
        Assert.True(drain.Forced.IsCancellationRequested);
        Assert.Equal(["stuck"], drain.Holds);
    }
}
