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
/// write as are waiting. A reader of stdout that stands still costs lines (counted, and said in the log), never a stalled connection.
/// </remarks>
public sealed class LogSink : IDisposable
{
    /// <summary>Lines that may wait.</summary>
    public const int Capacity = 10_000;

    private const int LargestWrite = 64 * 1024;
    private const int LargestPool = 1024;
    private static readonly TimeSpan LongestExit = TimeSpan.FromSeconds(5);

    // any thread
    private readonly ConcurrentQueue<LogEvent> _waiting = new();
    private readonly ConcurrentQueue<LogEvent> _free = new();
    private readonly ConcurrentDictionary<string, Log> _logs = new(StringComparer.Ordinal);
    private readonly AutoResetEvent _wake = new(initialState: false);
    private readonly TimeProvider _time;
    private int _count;
    private int _pooled;
    private long _dropped;
    private int _sleeping;
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
    {
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
        if (Interlocked.Increment(ref _count) > Capacity)
        {
            Interlocked.Decrement(ref _count);
            Interlocked.Increment(ref _dropped);
            Recycle(line);
            return;
        }

        _waiting.Enqueue(line);
        // The writer announces its sleep and then looks at the queue once more; without this fence both could miss each other.
        Interlocked.MemoryBarrier();
        if (_stopping)
            Flush();
        else if (Volatile.Read(ref _sleeping) == 1 && Interlocked.Exchange(ref _sleeping, 0) == 1)
            _wake.Set();
    }

    private void Run()
    {
        while (true)
        {
            Flush();
            Volatile.Write(ref _sleeping, 1);
            Interlocked.MemoryBarrier();
            if (_waiting.IsEmpty && !_stopping)
                _wake.WaitOne();
            Volatile.Write(ref _sleeping, 0);
            if (_stopping)
            {
                Flush();
                return;
            }
        }
    }

    private void Drain()
    {
        while (_waiting.TryDequeue(out var line))
        {
            Interlocked.Decrement(ref _count);
            _formatter.Format(_buffer, line);
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
