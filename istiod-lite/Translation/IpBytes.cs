using System.Net;
using System.Net.Sockets;
using Google.Protobuf;

namespace Mesh.IstiodLite.Translation;

/// <summary>Addresses as the wire has them: 4 or 16 bytes.</summary>
internal static class IpBytes
{
    /// <summary>Strict: .NET also accepts "1" and "0x7f.1" as IPv4, which no other part of the mesh would.</summary>
    public static IPAddress? Parse(string text)
    {
        if (!IPAddress.TryParse(text, out var address) || text.Contains('%', StringComparison.Ordinal) || text.Contains('[', StringComparison.Ordinal))
            return null;
        if (address.AddressFamily is AddressFamily.InterNetwork && text.Count(c => c == '.') != 3)
            return null;
        return address;
    }

    public static ByteString Of(IPAddress address) => UnsafeByteOperations.UnsafeWrap(address.GetAddressBytes());

    /// <summary>"10.0.0.0/8" or a bare address; host bits are kept. Null: neither.</summary>
    public static (IPAddress Address, int Length)? ParsePrefix(string text)
    {
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        var address = Parse(slash < 0 ? text : text[..slash]);
        if (address is null)
            return null;
        var bits = address.AddressFamily is AddressFamily.InterNetwork ? 32 : 128;
        if (slash < 0)
            return (address, bits);
        return int.TryParse(text.AsSpan(slash + 1), System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var length) && length <= bits
            ? (address, length)
            : null;
    }

    public static IPAddress Mask(IPAddress address, int length)
    {
        var bytes = address.GetAddressBytes();
        for (var i = 0; i < bytes.Length; i++)
        {
            var keep = Math.Clamp(length - i * 8, 0, 8);
            bytes[i] &= (byte)(0xFF << (8 - keep));
        }
        return new IPAddress(bytes);
    }

    public static string Text(ByteString address) => new IPAddress(address.Span).ToString();
}
