using System.Buffers;
using System.Globalization;

namespace Mesh.Http2;

/// <summary>RFC 9113, 8.2, 8.3 and 8.5: which field sections are well formed. A malformed one is a stream error.</summary>
internal static class HeaderRules
{
    // 8.2.1 narrows RFC 9110's token to lower case.
    private static readonly SearchValues<char> NameChars = SearchValues.Create("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz");
    private static readonly SearchValues<char> ForbiddenInValue = SearchValues.Create("\0\r\n");

    // RFC 3986 3.2 (userinfo, host and port) without anything that would end an authority.
    private static readonly SearchValues<char> AuthorityChars =
        SearchValues.Create("!$%&'()*+,-.0123456789:;=@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]_abcdefghijklmnopqrstuvwxyz~");

    /// <summary>A request section. A CONNECT without :authority passes: the owner answers it with a status.</summary>
    public static bool IsValidRequest(HeaderList headers)
    {
        string? method = null, scheme = null, path = null, authority = null;
        var fields = headers.AsSpan();
        var i = 0;
        for (; i < fields.Length && IsPseudo(fields[i].Name); i++)
        {
            if (!IsValidValue(fields[i].Value) || !TryKeep(in fields[i], ref method, ref scheme, ref path, ref authority))
                return false;
        }

        if (!AreRegular(fields[i..]) || string.IsNullOrEmpty(method) || (authority is not null && !IsValidAuthority(authority)))
            return false;

        // 8.5: :scheme and :path are omitted; 8.3.1: everywhere else they are there, and only an asterisk-form path may lack its slash.
        return string.Equals(method, "CONNECT", StringComparison.Ordinal)
            ? scheme is null && path is null
            : !string.IsNullOrEmpty(scheme) && !string.IsNullOrEmpty(path);
    }

    /// <summary>A response section: exactly one :status of three digits and no other pseudo-header field (8.3.2).</summary>
    public static bool IsValidResponse(HeaderList headers, out int status)
    {
        status = 0;
        var fields = headers.AsSpan();
        if (fields.IsEmpty || fields[0].Name != ":status" || fields[0].Value is not { Length: 3 } text)
            return false;
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out status) && status >= 100 && AreRegular(fields[1..]);
    }

    /// <summary>8.1: trailers carry no pseudo-header fields.</summary>
    public static bool IsValidTrailers(HeaderList headers) => AreRegular(headers.AsSpan());

    /// <summary>False: two different or unreadable values. No field at all is -1.</summary>
    public static bool TryGetContentLength(HeaderList headers, out long length)
    {
        length = -1;
        foreach (ref readonly var field in headers.AsSpan())
        {
            if (field.Name != "content-length")
                continue;
            if (!long.TryParse(field.Value, NumberStyles.None, CultureInfo.InvariantCulture, out var value) || (length >= 0 && value != length))
                return false;
            length = value;
        }

        return true;
    }

    /// <summary>Our own sections: a value that would break the framing of a later HTTP/1.1 hop must not leave here.</summary>
    public static void ThrowIfUnsendable(HeaderList headers)
    {
        foreach (ref readonly var field in headers.AsSpan())
        {
            var name = IsPseudo(field.Name) ? field.Name.AsSpan(1) : field.Name;
            if (name.IsEmpty || name.ContainsAnyExcept(NameChars))
                throw new ArgumentException($"header name \"{field.Name}\" is not a lower-case token (RFC 9113, 8.2.1)", nameof(headers));
            if (!IsValidValue(field.Value) || field.Value.AsSpan().ContainsAnyExceptInRange('\0', '\u00ff'))
                throw new ArgumentException($"the value of header \"{field.Name}\" holds characters that no field may carry (RFC 9113, 8.2.1)", nameof(headers));
        }
    }

    private static bool IsPseudo(string name) => name.Length > 0 && name[0] == ':';

    private static bool TryKeep(in HeaderField field, ref string? method, ref string? scheme, ref string? path, ref string? authority)
    {
        switch (field.Name)
        {
            case ":method": return TrySet(ref method, field.Value);
            case ":scheme": return TrySet(ref scheme, field.Value);
            case ":path": return TrySet(ref path, field.Value);
            case ":authority": return TrySet(ref authority, field.Value);
            default: return false;
        }
    }

    private static bool TrySet(ref string? slot, string value)
    {
        if (slot is not null)
            return false;
        slot = value;
        return true;
    }

    private static bool AreRegular(ReadOnlySpan<HeaderField> fields)
    {
        foreach (ref readonly var field in fields)
        {
            var name = field.Name;
            if (name.Length == 0 || name.AsSpan().ContainsAnyExcept(NameChars) || !IsValidValue(field.Value) || IsConnectionSpecific(name, field.Value))
                return false;
        }

        return true;
    }

    // 8.2.1: no NUL, CR or LF, and no blank at either end.
    private static bool IsValidValue(string value) =>
        value.Length == 0 || (!IsBlank(value[0]) && !IsBlank(value[^1]) && !value.AsSpan().ContainsAny(ForbiddenInValue));

    private static bool IsBlank(char c) => c is ' ' or '\t';

    // 8.2.2
    private static bool IsConnectionSpecific(string name, string value) => name switch
    {
        "connection" or "proxy-connection" or "keep-alive" or "transfer-encoding" or "upgrade" => true,
        "te" => value != "trailers",
        _ => false,
    };

    // Brackets only as a pair around an IPv6 literal: whatever follows a closed one can only be a port.
    private static bool IsValidAuthority(string authority)
    {
        if (authority.Length == 0 || authority.AsSpan().ContainsAnyExcept(AuthorityChars))
            return false;
        var open = authority.IndexOf('[', StringComparison.Ordinal);
        var close = authority.IndexOf(']', StringComparison.Ordinal);
        if (open < 0 && close < 0)
            return true;
        return open >= 0 && close > open && open == authority.LastIndexOf('[') && close == authority.LastIndexOf(']')
            && (open == 0 || authority[open - 1] == '@') && (close == authority.Length - 1 || authority[close + 1] == ':');
    }
}
