using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Mesh.Waypoint.Routing;

/// <summary>One header condition.</summary>
internal sealed class HeaderMatcher
{
    private readonly string _name;
    private readonly StringMatcher _value;
    private readonly bool _invert;

    public HeaderMatcher(V1.HeaderMatch match)
    {
        _name = match.Name;
        _value = StringMatcher.Compile(match.Value ?? new V1.StringMatch());
        _invert = match.Invert;
    }

    public bool Matches(IHeaderDictionary headers)
    {
        var there = headers.TryGetValue(_name, out var values) && values.Count > 0;
        if (_value.IsPresence)
            return there != _invert;

        // "without value X": a missing header counts as the empty string, so it normally satisfies the condition (reference 1.3).
        if (!there)
            return _invert && !_value.Matches(default);
        return MatchesAny(values) != _invert;
    }

    // Recorded: of several lines any may match, or all of them joined by commas.
    private bool MatchesAny(StringValues values)
    {
        foreach (var value in values)
        {
            if (_value.Matches(value))
                return true;
        }

        return values.Count > 1 && _value.Matches(Join(values));
    }

    public static string? Join(StringValues values) => values.Count <= 1 ? values[0] : string.Join(',', values.ToArray());
}
