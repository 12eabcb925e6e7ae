namespace Mesh.Runtime.Logging;

/// <summary>From the most to the least talkative; <see cref="Off"/> is only a filter.</summary>
public enum LogSeverity
{
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Off,
}

internal static class LogSeverityText
{
    public static string Name(this LogSeverity severity) => severity switch
    {
        LogSeverity.Trace => "trace",
        LogSeverity.Debug => "debug",
        LogSeverity.Info => "info",
        LogSeverity.Warn => "warn",
        LogSeverity.Error => "error",
        _ => "off",
    };

    public static bool TryParse(ReadOnlySpan<char> text, out LogSeverity severity)
    {
        for (severity = LogSeverity.Trace; severity <= LogSeverity.Off; severity++)
        {
            if (text.Equals(severity.Name(), StringComparison.OrdinalIgnoreCase))
                return true;
        }

        return false;
    }
}
