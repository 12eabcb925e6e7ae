using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Mesh.Model;

/// <summary>An IPv4 or IPv6 prefix (CIDR block) with its host bits cleared. The families never match one another; a mapped IPv4 address is IPv4.</summary>
public readonly struct IpPrefix : IEquatable<IpPrefix>
{
    // IPv4 keeps its 32 bits at the top, so that one mask rule serves both families.
    private readonly UInt128 _bits;
    private readonly byte _length;
    private readonly bool _isV6;

    private IpPrefix(UInt128 bits, int length, bool isV6)
    {
        _bits = bits & Mask(length);
        _length = (byte)length;
        _isV6 = isV6;
    }

    public int Length => _length;

    public AddressFamily Family => _isV6 ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork;

    /// <summary>The address with the host bits cleared.</summary>
    public IPAddress Network
    {
        get
        {
            Span<byte> bytes = stackalloc byte[16];
            BinaryPrimitives.WriteUInt128BigEndian(bytes, _bits);
            return new IPAddress(_isV6 ? bytes : bytes[..4]);
        }
    }

    /// <summary>False when <paramref name="length"/> is longer than the address family has bits.</summary>
    public static bool TryCreate(IPAddress address, int length, out IpPrefix prefix)
    {
        var bits = Bits(address, out var isV6);
        var valid = length >= 0 && length <= (isV6 ? 128 : 32);
        prefix = valid ? new(bits, length, isV6) : default;
        return valid;
    }

    /// <summary>The prefix that holds exactly this address.</summary>
    public static IpPrefix Single(IPAddress address)
    {
        var bits = Bits(address, out var isV6);
        return new(bits, isV6 ? 128 : 32, isV6);
    }

    /// <summary><c>10.0.0.0/8</c>, <c>fd00::/8</c>, or a bare address for the whole of it.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out IpPrefix prefix)
    {
        prefix = default;
        if (text is null)
            return false;
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        if (slash < 0)
        {
            if (!IPAddress.TryParse(text, out var single))
                return false;
            prefix = Single(single);
            return true;
        }

        return IPAddress.TryParse(text.AsSpan(0, slash), out var address)
            && int.TryParse(text.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var length)
            && TryCreate(address, length, out prefix);
    }

    public static IpPrefix Parse(string text) => TryParse(text, out var prefix)
        ? prefix
        : throw new FormatException($"\"{text}\" is not an address block such as 10.0.0.0/8 or fd00::/8");

    public bool Contains(IPAddress address)
    {
        var bits = Bits(address, out var isV6);
        return isV6 == _isV6 && (bits & Mask(_length)) == _bits;
    }

    /// <summary>The block of this length that <paramref name="address"/> lies in.</summary>
    internal static IpPrefix Around(IPAddress address, int length)
    {
        var bits = Bits(address, out var isV6);
        return new(bits, length, isV6);
    }

    private static UInt128 Mask(int length) => length == 0 ? UInt128.Zero : UInt128.MaxValue << (128 - length);

    private static UInt128 Bits(IPAddress address, out bool isV6)
    {
        Span<byte> bytes = stackalloc byte[16];
        bytes.Clear();
        address.TryWriteBytes(bytes, out var written);
        isV6 = written == 16;
        if (isV6 && address.IsIPv4MappedToIPv6)
        {
            isV6 = false;
            bytes[12..].CopyTo(bytes);
            bytes[4..].Clear();
        }

        return BinaryPrimitives.ReadUInt128BigEndian(bytes);
    }

    public bool Equals(IpPrefix other) => _bits == other._bits && _length == other._length && _isV6 == other._isV6;

    public override bool Equals(object? obj) => obj is IpPrefix other && Equals(other);

    public override int GetHashCode() => HashCode.Combine(_bits, _length, _isV6);

    public override string ToString() => $"{Network}/{_length}";

    public static bool operator ==(IpPrefix left, IpPrefix right) => left.Equals(right);

    public static bool operator !=(IpPrefix left, IpPrefix right) => !left.Equals(right);
}
