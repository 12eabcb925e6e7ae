namespace Mesh.Runtime.Logging;

/// <summary>RUST_LOG: comma separated directives, each a level or <c>target=level</c>. The longest target that is a prefix decides; no match is silence.</summary>
/// <remarks>Immutable. Printed with the most specific directive first.</remarks>
public sealed class LogFilter
{
    private readonly Directive[] _directives;

    private LogFilter(IEnumerable<Directive> directives) =>
        _directives = [.. directives.OrderByDescending(d => d.Target.Length).ThenByDescending(d => d.Target, StringComparer.Ordinal)];

    public static readonly LogFilter Default = new([new Directive(string.Empty, LogSeverity.Info)]);

    /// <summary>Parses the whole text or says which clause is wrong.</summary>
    public static bool TryParse(string text, out LogFilter filter, out string wrongClause) => Default.With([], text, out filter, out wrongClause);

    /// <summary>This filter with further directives; one for a target that is there replaces it.</summary>
    public bool TryAdd(string text, out LogFilter filter, out string wrongClause) => With(_directives, text, out filter, out wrongClause);

    public LogSeverity For(string target)
    {
        foreach (var directive in _directives)
        {
            if (target.StartsWith(directive.Target, StringComparison.Ordinal))
                return directive.Minimum;
        }

        return LogSeverity.Off;
    }

    public override string ToString() =>
        string.Join(',', _directives.Select(d => d.Target.Length == 0 ? d.Minimum.Name() : $"{d.Target}={d.Minimum.Name()}"));

    private bool With(IEnumerable<Directive> existing, string text, out LogFilter filter, out string wrongClause)
    {
        var directives = existing.ToDictionary(d => d.Target, StringComparer.Ordinal);
        foreach (var clause in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (!Directive.TryParse(clause, out var directive))
            {
                filter = this;
                wrongClause = clause;
                return false;
            }

            directives[directive.Target] = directive;
        }

        filter = new LogFilter(directives.Values);
        wrongClause = string.Empty;
        return true;
    }

    private readonly record struct Directive(string Target, LogSeverity Minimum)
    {
        public static bool TryParse(string clause, out Directive directive)
        {
            var equals = clause.IndexOf('=', StringComparison.Ordinal);
            var target = equals < 0 ? string.Empty : clause[..equals].TrimEnd();
            var valid = LogSeverityText.TryParse(clause.AsSpan(equals + 1).TrimStart(), out var severity)
                && (equals < 0 || target.Length > 0) && !target.AsSpan().ContainsAny(" =[]{}");
            directive = new Directive(target, severity);
            return valid;
        }
    }
}
