namespace Mesh.Runtime.Logging;

/// <summary>Lines of one target. Any thread; <see cref="IsEnabled"/> is one comparison.</summary>
public sealed class Log
{
    private readonly LogSink _sink;
    private readonly LogSpan? _span;
    private readonly Log? _root; // a log with a span asks the log of its target

    private volatile int _minimum;

    internal Log(LogSink sink, string target, LogSpan? span, Log? root)
    {
        _sink = sink;
        Target = target;
        _span = span;
        _root = root;
    }

    public string Target { get; }

    /// <summary>The same target within a span; cheap, the result may be kept as long as what it describes.</summary>
    public Log Within(LogSpan span) => new(_sink, Target, span, _root ?? this);

    public bool IsEnabled(LogSeverity severity) => (int)severity >= (_root ?? this)._minimum;

    /// <summary>A line to add fields to; the message may be empty. Ask <see cref="IsEnabled"/> first.</summary>
    public LogEvent Event(LogSeverity severity, string message = "")
    {
        var line = _sink.Rent();
        line.Begin(severity, Target, _span, message, _sink.Now);
        return line;
    }

    /// <summary>A whole line in a form of its own, which is written as it is. Ask <see cref="IsEnabled"/> first.</summary>
    public void Raw(string line)
    {
        var made = _sink.Rent();
        made.BeginRaw(line);
        made.Write();
    }

    public void Write(LogSeverity severity, string message)
    {
        if (IsEnabled(severity))
            Event(severity, message).Write();
    }

    public void Trace(string message) => Write(LogSeverity.Trace, message);

    public void Debug(string message) => Write(LogSeverity.Debug, message);

    public void Info(string message) => Write(LogSeverity.Info, message);

    public void Warn(string message) => Write(LogSeverity.Warn, message);

    public void Error(string message) => Write(LogSeverity.Error, message);

    internal void SetMinimum(LogSeverity minimum) => _minimum = (int)minimum;
}
