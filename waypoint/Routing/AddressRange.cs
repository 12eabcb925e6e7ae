using System.Net;
using System.Net.Sockets;

namespace Mesh.Waypoint.Routing;

/// <summary>A CIDR block; bits behind the prefix are ignored, as Envoy does. Comparison allocates nothing.</summary>
internal readonly struct AddressRange
{
    private readonly UInt128 _base;
    private readonly UInt128 _mask;
    private readonly AddressFamily _family;

    public AddressRange(IPAddress address, int length)
    {
        _family = address.AddressFamily;
        var bits = _family == AddressFamily.InterNetwork ? 32 : 128;
        if (length < 0 || length > bits)
            throw new ConfigurationException($"the prefix length {length} of {address} is out of range (0 to {bits})");
        var all = bits == 32 ? uint.MaxValue : UInt128.MaxValue;
        _mask = length == 0 ? 0 : all & (all << (bits - length));
        _base = Value(address) & _mask;
    }

    /// <param name="text"><c>10.0.0.0/8</c> or a single address.</param>
    public static AddressRange Parse(string text)
    {
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        if (!IPAddress.TryParse(slash < 0 ? text : text[..slash], out var address))
            throw new ConfigurationException($"\"{text}\" is not an address or address block");
        if (slash < 0)
            return new AddressRange(address, address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128);
        if (!int.TryParse(text.AsSpan(slash + 1), out var length))
            throw new ConfigurationException($"\"{text}\": what follows the slash is not a number");
        return new AddressRange(address, length);
    }

    public bool Contains(IPAddress? address)
    {
        if (address is null)
            return false;
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        return address.AddressFamily == _family && (Value(address) & _mask) == _base;
    }

    private static UInt128 Value(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out var count);
        var value = UInt128.Zero;
        foreach (var b in bytes[..count])
            value = (value << 8) | b;
        return value;
    }
}
