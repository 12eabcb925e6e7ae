namespace Mesh.Waypoint.Authorization;

/// <summary>A value of an AuthorizationPolicy as the user wrote it: <c>x</c> exact, <c>x*</c> prefix, <c>*x</c> suffix, <c>*</c> present.</summary>
internal readonly struct Pattern
{
    private enum Kind
    {
        Exact,
        Prefix,
        Suffix,
        Present,
    }

    private readonly Kind _kind;
    private readonly string _text;
    private readonly StringComparison _comparison;

    public Pattern(string text, bool ignoreCase = false)
    {
        _comparison = ignoreCase ? StringComparison.OrdinalIgnoreCase : StringComparison.Ordinal;
        (_kind, _text) = text switch
        {
            "*" => (Kind.Present, string.Empty),
            ['*', ..] => (Kind.Suffix, text[1..]),
            [.., '*'] => (Kind.Prefix, text[..^1]),
            _ => (Kind.Exact, text),
        };
    }

    /// <param name="value">Null: the attribute is missing, which matches nothing.</param>
    public bool Matches(string? value) => value is not null && _kind switch
    {
        Kind.Exact => value.Equals(_text, _comparison),
        Kind.Prefix => value.StartsWith(_text, _comparison),
        Kind.Suffix => value.EndsWith(_text, _comparison),
        _ => true,
    };
}
