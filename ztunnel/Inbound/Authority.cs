using System.Globalization;
using System.Net;

namespace Mesh.Ztunnel.Inbound;

/// <summary>What a CONNECT asks for: an address with port, or a host name with port.</summary>
internal readonly record struct Authority(IPAddress? Address, string? Hostname, ushort Port)
{
    /// <summary>The port is mandatory. What is no address is taken for a host name, however odd it looks: it will not be found.</summary>
    public static bool TryParse(string? text, out Authority authority)
    {
        authority = default;
        if (string.IsNullOrEmpty(text))
            return false;
        var colon = text.LastIndexOf(':');
        if (colon < 0 || !ushort.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port))
            return false;
        var host = text[..colon];
        if (host.StartsWith('['))
        {
            if (!host.EndsWith(']') || !IPAddress.TryParse(host.AsSpan(1, host.Length - 2), out var v6))
                return false;
            authority = new Authority(Unmap(v6), null, port);
            return true;
        }
        // IPAddress.TryParse also takes "1" and "0x7f.1": only dotted quads are addresses here.
        authority = host.Count(c => c == '.') == 3 && IPAddress.TryParse(host, out var v4)
            ? new Authority(v4, null, port)
            : new Authority(null, host, port);
        return !host.Contains(':', StringComparison.Ordinal);
    }

    public override string ToString() => Address is { } address ? new IPEndPoint(address, Port).ToString() : $"{Hostname}:{Port}";

    private static IPAddress Unmap(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
}
