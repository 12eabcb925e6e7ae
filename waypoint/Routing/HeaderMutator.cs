using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Mesh.Waypoint.Routing;

/// <summary>Header operations of one level (a destination or a route): remove first, then set, then add (reference 1.12).</summary>
internal sealed class HeaderMutator
{
    private readonly string[] _remove;
    private readonly (string Name, HeaderFormat Value)[] _set;
    private readonly (string Name, HeaderFormat Value)[] _add;

    private HeaderMutator(V1.HeaderMutation mutation)
    {
        _remove = [.. mutation.Remove.Where(IsOrdinary)];
        _set = [.. mutation.Set.Where(h => IsOrdinary(h.Key)).Select(h => (h.Key, new HeaderFormat(h.Value)))];
        _add = [.. mutation.Add.Where(h => IsOrdinary(h.Key)).Select(h => (h.Key, new HeaderFormat(h.Value)))];
        Host = HostOf(mutation.Set) ?? HostOf(mutation.Add);
    }

    /// <summary>An operation on Host or :authority is a host rewrite; other pseudo headers are dropped (reference 1.6).</summary>
    public string? Host { get; }

    public static HeaderMutator? Compile(V1.HeaderMutation? mutation) =>
        mutation is null || mutation.Set.Count + mutation.Add.Count + mutation.Remove.Count == 0 ? null : new HeaderMutator(mutation);

    public void Apply(IHeaderDictionary headers, in FormatFacts facts)
    {
        foreach (var name in _remove)
            headers.Remove(name);
        foreach (var (name, format) in _set)
        {
            var value = format.Expand(facts);
            if (value.Length > 0)
                headers[name] = value;
        }

        foreach (var (name, format) in _add)
        {
            var value = format.Expand(facts);
            if (value.Length > 0)
                headers[name] = StringValues.Concat(headers[name], value);
        }
    }

    private static bool IsOrdinary(string name) => name.Length > 0 && name[0] != ':' && !name.Equals("host", StringComparison.OrdinalIgnoreCase);

    private static string? HostOf(IEnumerable<KeyValuePair<string, string>> operations) =>
        operations.Where(o => o.Key.Equals("host", StringComparison.OrdinalIgnoreCase) || o.Key.Equals(":authority", StringComparison.OrdinalIgnoreCase))
            .Select(o => o.Value).FirstOrDefault();
}
