using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Forwarding;

/// <summary>Which Upgrade requests are honoured: WebSocket on HTTP/1.1. h2c is ignored (stripped), everything else refused (reference 7.4).</summary>
internal static class UpgradeRule
{
    /// <returns>False: answer 403.</returns>
    public static bool TryRead(Exchange exchange, out string? upgrade)
    {
        upgrade = null;
        var headers = exchange.Http.Request.Headers;
        if (!HttpProtocol.IsHttp11(exchange.Http.Request.Protocol) || headers.Upgrade.Count == 0 || !NamesUpgrade(headers))
            return true;
        var value = headers.Upgrade.ToString();
        if (value.Equals("h2c", StringComparison.OrdinalIgnoreCase))
            return true;
        if (!value.Equals("websocket", StringComparison.OrdinalIgnoreCase))
            return false;
        upgrade = value;
        return true;
    }

    private static bool NamesUpgrade(IHeaderDictionary headers)
    {
        foreach (var value in headers.Connection)
        {
            foreach (var range in value.AsSpan().Split(','))
            {
                if (value.AsSpan(range).Trim().Equals("upgrade", StringComparison.OrdinalIgnoreCase))
                    return true;
            }
        }

        return false;
    }
}
