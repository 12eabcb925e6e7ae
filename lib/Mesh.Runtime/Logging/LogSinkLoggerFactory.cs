using Microsoft.Extensions.Logging;

namespace Mesh.Runtime.Logging;

/// <summary>Sends what Kestrel and other framework parts log into our sink. The category becomes the target, information is demoted to debug.</summary>
/// <remarks>Kestrel reports every started and stopped request at Information; that is a debug message of this process.</remarks>
public sealed class LogSinkLoggerFactory(LogSink sink) : ILoggerFactory, ILoggerProvider
{
    public ILogger CreateLogger(string categoryName) => new Adapter(sink.For(categoryName));

    public void AddProvider(ILoggerProvider provider)
    {
        // One sink per process; further providers have no place here.
    }

    public void Dispose()
    {
        // The sink belongs to whoever made it.
    }

    private sealed class Adapter(Log log) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None && log.IsEnabled(Map(logLevel));

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
                log.Event(Map(logLevel), formatter(state, exception)).Text("error", exception?.Message).Write();
        }

        private static LogSeverity Map(LogLevel level) => level switch
        {
            LogLevel.Trace => LogSeverity.Trace,
            LogLevel.Debug or LogLevel.Information => LogSeverity.Debug,
            LogLevel.Warning => LogSeverity.Warn,
            LogLevel.Error or LogLevel.Critical => LogSeverity.Error,
            _ => LogSeverity.Off,
        };
    }
}
