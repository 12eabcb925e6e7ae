using System.Net;
using System.Text;
using Mesh.Runtime.Logging;
using Mesh.Testing;

namespace Mesh.Runtime.Tests.Logging;

public sealed class LogSinkTests
{
    private readonly MemoryStream _output = new();

    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("a \"b\" \\c", "a \\\"b\\\" \\\\c")]
    [InlineData("one\ntwo\r\t\0", "one\\ntwo\\r\\t\\0")]
    [InlineData("für \u001b[31m", "für \\u{1b}[31m")]
    [InlineData("a\u202eb\u00a0", "a\\u{202e}b\\u{a0}")]
    public void TextField_OfAnyContent_CannotLeaveItsQuotes(string value, string escaped)
    {
        Assert.EndsWith($"\tinfo\taccess\tm\terror=\"{escaped}\"\n", Logged(LogFormat.Text, e => e.Text("error", value)), StringComparison.Ordinal);
    }

    [Fact]
    public void JsonField_OfAnyContent_IsValidJson()
    {
        const string Value = "a \"b\" \\ \n\r\t\b\f\u0001 für \u2028 🎈";
        using var document = System.Text.Json.JsonDocument.Parse(Logged(LogFormat.Json, e => e.Text("error", Value)));
        Assert.Equal(Value, document.RootElement.GetProperty("error").GetString());
    }

    [Fact]
    public void Fields_OfEachKind_AreFormattedForText()
    {
        var line = Logged(LogFormat.Text, e => e.Address("src.addr", IPEndPoint.Parse("[fd00::1]:80")).Text("absent", null).Number("n", -5).Flag("f", true)
            .Milliseconds("duration", TimeSpan.FromMilliseconds(3.9)).Bare("b", "x"));
        Assert.EndsWith("\tm\tsrc.addr=[fd00::1]:80 n=-5 f=true duration=\"3ms\" b=x\n", line, StringComparison.Ordinal);
    }

    [Fact]
    public void Fields_OfEachKind_AreFormattedForJson()
    {
        var line = Logged(LogFormat.Json, e => e.Address("src.addr", IPEndPoint.Parse("10.0.0.1:80")).Number("n", 5).Flag("f", false).Milliseconds("duration", TimeSpan.FromMilliseconds(3)));
        Assert.EndsWith("\"message\":\"m\",\"src.addr\":\"10.0.0.1:80\",\"n\":5,\"f\":false,\"duration\":\"3ms\"}\n", line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Line_IsWrittenAtOnceWithoutAFlush()
    {
        using var written = new SignallingStream();
        using var sink = new LogSink(written, LogFormat.Text, LogFilter.Default, TimeProvider.System);
        sink.For("a").Info("hello");
        await written.Written.Task.WaitAsync(TimeSpan.FromSeconds(20));
    }

    [Fact]
    public async Task Lines_ThatKeepComing_AreOneWriteAndAWarningEndsTheWait()
    {
        using var stream = new CountingStream();
        using var sink = new LogSink(stream, LogFormat.Text, LogFilter.Default, TimeProvider.System, moment: TimeSpan.FromHours(1));
        var log = sink.For("t");
        log.Info("first");
        await stream.WaitForAsync("first");
        for (var i = 0; i < 100; i++)
        {
            log.Info("gathered");
            Thread.Yield(); // a writer that does not gather has its turn here
        }

        log.Warn("urgent");
        await stream.WaitForAsync("urgent");

        // The lines that came while the writer was still at the first one may be a write of their own.
        Assert.InRange(stream.Writes, 2, 4);
    }

    [Fact]
    public async Task Lines_OfManyThreads_AreAllThereAndWhole()
    {
        using (var sink = new LogSink(_output, LogFormat.Text, LogFilter.Default, TimeProvider.System))
        {
            var log = sink.For("t");
            await Task.WhenAll(Enumerable.Range(0, 8).Select(t => Task.Run(() =>
            {
                for (var i = 0; i < 1000; i++)
                    log.Event(LogSeverity.Info, "m").Number("thread", t).Number("line", i).Write();
            })));
        }

        var lines = Encoding.UTF8.GetString(_output.ToArray()).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(8000, lines.Select(l => l[(l.LastIndexOf('\t') + 1)..]).Distinct().Count());
    }

    [Fact]
    public void Lines_BeyondTheCapacity_AreCountedAndReported()
    {
        using var stuck = new StuckStream();
        using (var sink = new LogSink(stuck, LogFormat.Text, LogFilter.Default, TimeProvider.System))
        {
            var log = sink.For("t");
            log.Info("first");
            stuck.Entered.Wait(TimeSpan.FromSeconds(20));
            for (var i = 0; i < LogSink.Capacity + 500; i++)
                log.Info("waiting");
            Assert.InRange(sink.Dropped, 500, 501);
            stuck.Release.Set();
        }

        Assert.Contains("lines were dropped because the log output did not keep up\tdropped=50", Encoding.UTF8.GetString(stuck.ToArray()), StringComparison.Ordinal);
    }

    [Fact]
    public void Output_ThatFails_DoesNotStopTheSink()
    {
        using var broken = new BrokenStream();
        using (var sink = new LogSink(broken, LogFormat.Text, LogFilter.Default, TimeProvider.System))
        {
            sink.For("t").Info("lost");
            sink.Flush();
            broken.Works = true;
            sink.For("t").Info("kept");
        }

        Assert.Contains("kept", Encoding.UTF8.GetString(broken.ToArray()), StringComparison.Ordinal);
    }

    [Fact]
    public void Line_AfterTheSinkWasClosed_IsStillWritten()
    {
        var sink = new LogSink(_output, LogFormat.Text, LogFilter.Default, TimeProvider.System);
        sink.Dispose();
        sink.For("t").Info("late");
        Assert.Contains("late", Encoding.UTF8.GetString(_output.ToArray()), StringComparison.Ordinal);
    }

    [Fact]
    public void Filter_ReplacedWhileRunning_IsSeenByExistingLogs()
    {
        using var sink = new LogSink(_output, LogFormat.Text, LogFilter.Default, TimeProvider.System);
        var log = sink.For("ztunnel::xds");
        var inner = log.Within(new LogSpan("xds", ("id", 1)));
        Assert.False(inner.IsEnabled(LogSeverity.Debug));
        Assert.True(LogFilter.TryParse("info,ztunnel::xds=debug", out var filter, out _));
        sink.Filter = filter;
        Assert.True(log.IsEnabled(LogSeverity.Debug));
        Assert.True(inner.IsEnabled(LogSeverity.Debug));
        Assert.False(sink.For("other").IsEnabled(LogSeverity.Debug));
    }

    [Fact]
    public void Line_Logged_AllocatesNothingOnceWarm()
    {
        using var sink = new LogSink(Stream.Null, LogFormat.Text, LogFilter.Default, TimeProvider.System);
        var log = sink.For("access");
        var endPoint = IPEndPoint.Parse("10.0.0.1:80");
        void Line() => log.Event(LogSeverity.Info, "connection complete").Address("src.addr", endPoint).Text("src.workload", "cl").Number("bytes_sent", 4).Write();
        for (var i = 0; i < 1000; i++)
            Line();
        sink.Flush();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
            Line();
        // The queue's segments are allocated now and then; a line itself costs nothing.
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 100 * 64);
    }

    private string Logged(LogFormat format, Action<LogEvent> fields)
    {
        using (var sink = new LogSink(_output, format, LogFilter.Default, new ManualTimeProvider()))
        {
            var line = sink.For("access").Event(LogSeverity.Info, "m");
            fields(line);
            line.Write();
        }

        return Encoding.UTF8.GetString(_output.ToArray());
    }

    private sealed class CountingStream : MemoryStream
    {
        private readonly Lock _gate = new();
        private readonly List<(string Text, TaskCompletionSource Seen)> _waiting = [];

        public int Writes { get; private set; }

        public Task WaitForAsync(string text)
        {
            lock (_gate)
            {
                var seen = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                _waiting.Add((text, seen));
                Look();
                return seen.Task.WaitAsync(TimeSpan.FromSeconds(20));
            }
        }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            lock (_gate)
            {
                Writes++;
                base.Write(buffer);
                Look();
            }
        }

        private void Look()
        {
            var text = Encoding.UTF8.GetString(ToArray());
            foreach (var (wanted, seen) in _waiting)
            {
                if (text.Contains(wanted, StringComparison.Ordinal))
                    seen.TrySetResult();
            }
        }
    }

    private sealed class SignallingStream : MemoryStream
    {
        public TaskCompletionSource Written { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public override void Write(ReadOnlySpan<byte> buffer) => Written.TrySetResult();
    }

    private sealed class StuckStream : MemoryStream
    {
        public ManualResetEventSlim Entered { get; } = new();

        public ManualResetEventSlim Release { get; } = new();

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            Entered.Set();
            Release.Wait(TimeSpan.FromSeconds(60));
            base.Write(buffer);
        }
    }

    private sealed class BrokenStream : MemoryStream
    {
        public bool Works { get; set; }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            if (!Works)
                throw new IOException("No space left on device");
            base.Write(buffer);
        }
    }
}
