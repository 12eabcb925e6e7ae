namespace Mesh.Waypoint.Routing;

/// <summary>One condition on a query parameter. Values are compared as sent (not decoded); the first of repeated parameters counts.</summary>
internal sealed class QueryMatcher(V1.HeaderMatch match)
{
    private readonly string _name = match.Name;
    private readonly StringMatcher _value = StringMatcher.Compile(match.Value ?? new V1.StringMatch());
    private readonly bool _invert = match.Invert;

    /// <param name="query">Without the question mark.</param>
    public bool Matches(ReadOnlySpan<char> query)
    {
        if (!TryFind(query, _name, out var value))
            return _invert;
        return _value.Matches(value) != _invert;
    }

    public static bool TryFind(ReadOnlySpan<char> query, ReadOnlySpan<char> name, out ReadOnlySpan<char> value)
    {
        foreach (var range in query.Split('&'))
        {
            var parameter = query[range];
            var equals = parameter.IndexOf('=');
            var key = equals < 0 ? parameter : parameter[..equals];
            if (!key.SequenceEqual(name))
                continue;
            value = equals < 0 ? default : parameter[(equals + 1)..];
            return true;
        }

        value = default;
        return false;
    }
}
