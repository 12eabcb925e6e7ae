using System.Text.RegularExpressions;

namespace Mesh.Waypoint.Routing;

/// <summary>One compiled string condition. Immutable; matching allocates nothing.</summary>
internal sealed class StringMatcher
{
    private enum Kind
    {
        Exact,
        Prefix,
        Suffix,
        Regex,
        Present,
    }

    private readonly Kind _kind;
    private readonly string _text;
    private readonly Regex? _regex;
    private readonly StringComparison _comparison;

    private StringMatcher(Kind kind, string text, bool ignoreCase, Regex? regex = null)
    {
        _kind = kind;
        _text = text;
        _regex = regex;
        _comparison = ignoreCase ? StringComparison.OrdinalIgnoreCase : StringComparison.Ordinal;
    }

    /// <summary>True for the condition "is there at all", which holds for an empty value too.</summary>
    public bool IsPresence => _kind == Kind.Present;

    public static StringMatcher Exact(string text, bool ignoreCase = false) => new(Kind.Exact, text, ignoreCase);

    /// <exception cref="ConfigurationException">The regular expression cannot be compiled.</exception>
    public static StringMatcher Compile(V1.StringMatch match) => match.PatternCase switch
    {
        V1.StringMatch.PatternOneofCase.Exact => new StringMatcher(Kind.Exact, match.Exact, match.IgnoreCase),
        V1.StringMatch.PatternOneofCase.Prefix => new StringMatcher(Kind.Prefix, match.Prefix, match.IgnoreCase),
        V1.StringMatch.PatternOneofCase.Suffix => new StringMatcher(Kind.Suffix, match.Suffix, match.IgnoreCase),
        V1.StringMatch.PatternOneofCase.Regex => new StringMatcher(Kind.Regex, match.Regex, match.IgnoreCase, Re2.CompileFullMatch(match.Regex)),
        // An empty StringMatch asks for presence only (reference 1.3).
        _ => new StringMatcher(Kind.Present, string.Empty, ignoreCase: false),
    };

    public bool Matches(ReadOnlySpan<char> value) => _kind switch
    {
        Kind.Exact => value.Equals(_text, _comparison),
        Kind.Prefix => value.StartsWith(_text, _comparison),
        Kind.Suffix => value.EndsWith(_text, _comparison),
        Kind.Regex => _regex!.IsMatch(value),
        _ => true,
    };

    /// <summary>How many characters of a path the condition has consumed when it matched: what a prefix rewrite replaces.</summary>
    public int ConsumedPrefix(ReadOnlySpan<char> value) => _kind == Kind.Prefix ? _text.Length : value.Length;

    public bool IsPrefix => _kind == Kind.Prefix;

    /// <summary>The text that a value must equal or begin with, letter by letter; null: another kind of condition.</summary>
    public string? Literal => _kind is Kind.Exact or Kind.Prefix && _comparison == StringComparison.Ordinal ? _text : null;

    public override string ToString() => $"{_kind} \"{_text}\"";
}
