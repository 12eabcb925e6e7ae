using System.Net;

namespace Mesh.Runtime.Logging;

/// <summary>One line in the making: ordered fields, then <see cref="Write"/>. An absent (null) value leaves its field out.</summary>
/// <remarks>
/// Owned by the caller until <see cref="Write"/>, by the sink's thread afterwards, then reused: never keep a reference.
/// Nothing is formatted on the caller's thread.
/// </remarks>
public sealed class LogEvent
{
    private readonly LogSink _sink;
    private LogField[] _fields = new LogField[20]; // a finished connection has 17

    internal LogEvent(LogSink sink) => _sink = sink;

    internal long Ticks { get; private set; }

    internal LogSeverity Severity { get; private set; }

    internal string Target { get; private set; } = string.Empty;

    internal LogSpan? Span { get; private set; }

    internal string Message { get; private set; } = string.Empty;

    /// <summary>The message is the line.</summary>
    internal bool IsRaw { get; private set; }

    internal int Count { get; private set; }

    internal ReadOnlySpan<LogField> Fields => _fields.AsSpan(0, Count);

    /// <summary>Quoted and escaped.</summary>
    public LogEvent Text(string key, string? value) => value is null ? this : Add(new LogField(key, LogFieldKind.Quoted, 0, value));

    /// <summary>Text that is printed bare in the text format; for addresses and words that cannot hold white space.</summary>
    public LogEvent Bare(string key, string? value) => value is null ? this : Add(new LogField(key, LogFieldKind.Bare, 0, value));

    /// <summary>Formatted by the sink; the object must not change any more.</summary>
    public LogEvent Address(string key, IPEndPoint? value) => value is null ? this : Add(new LogField(key, LogFieldKind.Bare, 0, value));

    public LogEvent Number(string key, long value) => Add(new LogField(key, LogFieldKind.Number, value, null));

    public LogEvent Flag(string key, bool value) => Add(new LogField(key, LogFieldKind.Flag, value ? 1 : 0, null));

    /// <summary>Whole milliseconds as text: <c>duration="3ms"</c>.</summary>
    public LogEvent Milliseconds(string key, TimeSpan value) => Add(new LogField(key, LogFieldKind.Milliseconds, (long)value.TotalMilliseconds, null));

    /// <summary>Hands the line over. Returns at once; when 10,000 lines wait, this one is counted and dropped.</summary>
    public void Write() => _sink.Enqueue(this);

    internal void Begin(LogSeverity severity, string target, LogSpan? span, string message, long ticks)
    {
        Severity = severity;
        Target = target;
        Span = span;
        Message = message;
        Ticks = ticks;
        Count = 0;
    }

    internal void BeginRaw(string line)
    {
        Begin(LogSeverity.Info, string.Empty, null, line, 0);
        IsRaw = true;
    }

    internal void Clear()
    {
        IsRaw = false;
        Array.Clear(_fields, 0, Count);
        Count = 0;
        Span = null;
        Message = string.Empty;
    }

    private LogEvent Add(LogField field)
    {
        if (Count == _fields.Length)
            Array.Resize(ref _fields, Count * 2);
        _fields[Count++] = field;
        return this;
    }
}

internal enum LogFieldKind : byte
{
    Quoted,
    Bare,
    Number,
    Flag,
    Milliseconds,
}

internal readonly record struct LogField(string Key, LogFieldKind Kind, long Number, object? Value);
