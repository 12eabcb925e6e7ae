using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Routing;

internal static class CookieReader
{
    /// <summary>The first cookie of that name, without quotes around its value.</summary>
    public static string? Find(IHeaderDictionary headers, string name)
    {
        foreach (var header in headers.Cookie)
        {
            var rest = header.AsSpan();
            foreach (var range in rest.Split(';'))
            {
                var cookie = rest[range].Trim();
                var equals = cookie.IndexOf('=');
                if (equals > 0 && cookie[..equals].SequenceEqual(name))
                    return cookie[(equals + 1)..].Trim('"').ToString();
            }
        }

        return null;
    }
}
