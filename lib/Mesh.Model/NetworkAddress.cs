using System.Diagnostics.CodeAnalysis;
using System.Net;

namespace Mesh.Model;

/// <summary>An address is only unique within its network (clusters may reuse ranges). Spelled <c>network/ip</c>; the default network is empty.</summary>
public readonly record struct NetworkAddress(string Network, IPAddress Address)
{
    public static bool TryParse([NotNullWhen(true)] string? text, out NetworkAddress address)
    {
        address = default;
        var slash = text?.IndexOf('/', StringComparison.Ordinal) ?? -1;
        if (slash < 0 || !IPAddress.TryParse(text.AsSpan(slash + 1), out var ip))
            return false;
        address = new(text![..slash], ip);
        return true;
    }

    public override string ToString() => $"{Network}/{Address}";
}

/// <summary>A block of virtual addresses of a service in one network.</summary>
public readonly record struct NetworkPrefix(string Network, IpPrefix Prefix)
{
    public override string ToString() => $"{Network}/{Prefix}";
}

/// <summary>What makes a service unique: two namespaces may each define the same hostname. Spelled <c>namespace/hostname</c>.</summary>
public readonly record struct NamespacedHostname(string Namespace, string Hostname)
{
    /// <summary>Exactly one slash: the form of xDS names and of the keys in a workload's service map.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out NamespacedHostname name)
    {
        name = default;
        var slash = text?.IndexOf('/', StringComparison.Ordinal) ?? -1;
        if (slash < 0 || text!.AsSpan(slash + 1).Contains('/'))
            return false;
        name = new(text![..slash], text[(slash + 1)..]);
        return true;
    }

    public override string ToString() => $"{Namespace}/{Hostname}";
}
