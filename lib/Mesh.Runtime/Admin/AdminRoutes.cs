using Microsoft.AspNetCore.Http;

namespace Mesh.Runtime.Admin;

/// <summary>The pages of one port: exact paths, everything else is 404. Filled before the start, read-only afterwards.</summary>
public sealed class AdminRoutes
{
    private readonly Dictionary<string, Func<HttpContext, Task>> _pages = new(StringComparer.Ordinal);
    private readonly List<(string Prefix, Func<HttpContext, Task> Handler)> _prefixes = [];

    /// <summary>Any method; pages that change something check for POST themselves with <see cref="AdminReply"/>.</summary>
    public AdminRoutes Map(string path, Func<HttpContext, Task> page)
    {
        _pages.Add(path, page);
        return this;
    }

    /// <summary>For pages with a name in their path; <paramref name="prefix"/> ends in a slash. Exact paths win.</summary>
    public AdminRoutes MapPrefix(string prefix, Func<HttpContext, Task> page)
    {
        _prefixes.Add((prefix, page));
        return this;
    }

    internal Func<HttpContext, Task>? Find(string path)
    {
        if (_pages.TryGetValue(path, out var page))
            return page;
        foreach (var (prefix, handler) in _prefixes)
        {
            if (path.StartsWith(prefix, StringComparison.Ordinal))
                return handler;
        }

        return null;
    }
}
