using System.Collections.Concurrent;

namespace Mesh.Runtime.Logging;

/// <summary>How lines are written (LOG_FORMAT).</summary>
public enum LogFormat
{
    Text,
    Json,
}

/// <summary>Takes lines from any thread and writes them at once, in order, from a thread of its own.</summary>
/// <remarks>
/// The data path only links an event into a queue; formatting and the system call happen on the sink's thread, as many lines per
/// write as are waiting. The first line after a silence is written at once; while lines keep coming they are gathered for a moment, so that
/// a busy data path does not wake a thread per connection. A warning does not wait. A reader of stdout that stands still costs lines (counted, and said in the log), never a stalled connection.
/// </remarks>
public sealed class LogSink : IDisposable
{
    /// <summary>Lines that may wait.</summary>
    public const int Capacity = 10_000;

    private const int LargestWrite = 64 * 1024;
    private const int LargestPool = 1024;
    private const int Writing = 0;
    private const int Sleeping = 1;
    private const int Gathering = 2;

    /// <summary>Short enough for a person who watches, long enough to make a hundred lines one wake-up and one write.</summary>
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan LongestExit = TimeSpan.FromSeconds(5);

    // any thread
    private readonly ConcurrentQueue<LogEvent> _waiting = new();
    private readonly ConcurrentQueue<LogEvent> _free = new();
    private readonly ConcurrentDictionary<string, Log> _logs = new(StringComparer.Ordinal);
    private readonly AutoResetEvent _wake = new(initialState: false);
    private readonly TimeProvider _time;
    private readonly TimeSpan _moment;
    private int _count;
    private int _pooled;
    private long _dropped;
    private int _state;
    private volatile bool _urgent;
    private volatile bool _stopping;
    private volatile LogFilter _filter;

    // the writing thread, under _output
    private readonly Lock _output = new();
    private readonly Stream _stream;
    private readonly LogFormatter _formatter;
    private readonly LineBuffer _buffer = new();
    private readonly Thread _thread;
    private long _reportedDrops;

    public LogSink(Stream stream, LogFormat format, LogFilter filter, TimeProvider time)
        : this(stream, format, filter, time, Moment)
    {
    }

    internal LogSink(Stream stream, LogFormat format, LogFilter filter, TimeProvider time, TimeSpan moment)
    {
        _moment = moment;
        _stream = stream;
        _time = time;
        _filter = filter;
        _formatter = format == LogFormat.Json ? new JsonLogFormatter() : new TextLogFormatter();
        _thread = new Thread(Run) { IsBackground = true, Name = "log" };
        _thread.Start();
        AppDomain.CurrentDomain.ProcessExit += OnProcessExit;
        AppDomain.CurrentDomain.UnhandledException += OnCrash;
    }

    public static LogSink ToStandardOutput(LogFormat format, LogFilter filter, TimeProvider time) =>
        new(Console.OpenStandardOutput(), format, filter, time);

    /// <summary>Lines that were lost because the output did not keep up.</summary>
    public long Dropped => Interlocked.Read(ref _dropped);

    /// <summary>May be replaced at any time (POST /logging).</summary>
    public LogFilter Filter
    {
        get => _filter;
        set
        {
            _filter = value;
            foreach (var log in _logs.Values)
                log.SetMinimum(value.For(log.Target));
        }
    }

    internal long Now => _time.GetUtcNow().UtcTicks;

    /// <summary>The log of a target such as "ztunnel::xds"; always the same object.</summary>
    public Log For(string target)
    {
        var log = _logs.GetOrAdd(target, static (t, sink) => new Log(sink, t, null, null), this);
        // Also for one that existed: a filter set while it was being added would have missed it.
        log.SetMinimum(_filter.For(target));
        return log;
    }

    /// <summary>Returns when everything that was handed over before is written.</summary>
    public void Flush()
    {
        lock (_output)
            Drain();
    }

    private bool FlushAny()
    {
        lock (_output)
            return Drain();
    }

    /// <summary>Writes what waits and stops the thread. Lines that come later are written by their callers.</summary>
    public void Dispose()
    {
        AppDomain.CurrentDomain.ProcessExit -= OnProcessExit;
        AppDomain.CurrentDomain.UnhandledException -= OnCrash;
        if (_stopping)
            return;
        _stopping = true;
        _wake.Set();
        _thread.Join(LongestExit);
    }

    internal LogEvent Rent()
    {
        if (!_free.TryDequeue(out var line))
            return new LogEvent(this);
        Interlocked.Decrement(ref _pooled);
        return line;
    }

    internal void Enqueue(LogEvent line)
    {
        var waiting = Interlocked.Increment(ref _count);
        if (waiting > Capacity)
        {
            Interlocked.Decrement(ref _count);
            Interlocked.Increment(ref _dropped);
            Recycle(line);
            return;
        }

        var urgent = line.Severity >= LogSeverity.Warn || waiting > Capacity / 2;
        _waiting.Enqueue(line);
        if (urgent)
            _urgent = true;
        // The writer announces its sleep and then looks at the queue once more; without this fence both could miss each other.
        Interlocked.MemoryBarrier();
        var state = Volatile.Read(ref _state);
        if (_stopping)
            Flush();
        else if ((state == Sleeping || (state == Gathering && urgent)) && Interlocked.CompareExchange(ref _state, Writing, state) == state)
            _wake.Set();
    }

    private void Run()
    {
        while (true)
        {
            var gather = FlushAny();
            Volatile.Write(ref _state, gather ? Gathering : Sleeping);
            Interlocked.MemoryBarrier();
            if (!_stopping && (gather ? !_urgent : _waiting.IsEmpty))
                _wake.WaitOne(gather ? _moment : Timeout.InfiniteTimeSpan);
            Volatile.Write(ref _state, Writing);
            if (_stopping)
            {
                Flush();
                return;
            }
        }
    }

    /// <summary>Whether there was anything.</summary>
    private bool Drain()
    {
        _urgent = false;
        var any = !_waiting.IsEmpty;
        while (_waiting.TryDequeue(out var line))
        {
            Interlocked.Decrement(ref _count);
            if (line.IsRaw)
            {
                _buffer.Text(line.Message);
                _buffer.Byte((byte)'\n');
            }
            else
            {
                _formatter.Format(_buffer, line);
            }

            Recycle(line);
            if (_buffer.Length >= LargestWrite)
                WriteOut();
        }

        if (Dropped is var dropped && dropped != _reportedDrops)
        {
            var report = new LogEvent(this);
            report.Begin(LogSeverity.Warn, "log", null, "lines were dropped because the log output did not keep up", Now);
            report.Number("dropped", dropped - _reportedDrops);
            _formatter.Format(_buffer, report);
            _reportedDrops = dropped;
        }

        WriteOut();
        return any;
    }

    private void WriteOut()
    {
        if (_buffer.Length == 0)
            return;
        try
        {
            _stream.Write(_buffer.Written);
            _stream.Flush();
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // A closed pipe or a full disk: the mesh goes on without these lines, and tries again with the next ones.
        }

        _buffer.Clear();
    }

    private void Recycle(LogEvent line)
    {
        line.Clear();
        if (Interlocked.Increment(ref _pooled) <= LargestPool)
            _free.Enqueue(line);
        else
            Interlocked.Decrement(ref _pooled);
    }

    private void OnProcessExit(object? sender, EventArgs e) => Dispose();

    // The runtime raises no ProcessExit when it dies of an exception; the lines before it are the ones that explain it.
    private void OnCrash(object sender, UnhandledExceptionEventArgs e)
    {
        For("crash").Event(LogSeverity.Error, "unhandled exception, the process ends").Text("error", e.ExceptionObject.ToString()).Write();
        Flush();
    }
}
