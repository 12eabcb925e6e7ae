namespace Mesh.Model.Policy;

public enum StringMatchKind
{
    Exact,
    Prefix,
    Suffix,

    /// <summary>Any text that is not empty.</summary>
    Presence,
}

/// <summary>A case-sensitive comparison of a whole name.</summary>
public readonly record struct StringMatch(StringMatchKind Kind, string Value)
{
    public static StringMatch Presence => new(StringMatchKind.Presence, "");

    public static StringMatch Exact(string value) => new(StringMatchKind.Exact, value);

    public static StringMatch Prefix(string value) => new(StringMatchKind.Prefix, value);

    public static StringMatch Suffix(string value) => new(StringMatchKind.Suffix, value);

    public bool Matches(ReadOnlySpan<char> text) => Kind switch
    {
        StringMatchKind.Exact => text.SequenceEqual(Value),
        StringMatchKind.Prefix => text.StartsWith(Value, StringComparison.Ordinal),
        StringMatchKind.Suffix => text.EndsWith(Value, StringComparison.Ordinal),
        _ => !text.IsEmpty,
    };

    public override string ToString() => Kind switch
    {
        StringMatchKind.Exact => $"\"{Value}\"",
        StringMatchKind.Prefix => $"\"{Value}*\"",
        StringMatchKind.Suffix => $"\"*{Value}\"",
        _ => "\"*\"",
    };
}
