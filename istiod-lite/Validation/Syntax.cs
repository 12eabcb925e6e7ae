using System.Net;
using System.Text.RegularExpressions;
using Mesh.IstiodLite.Translation;

namespace Mesh.IstiodLite.Validation;

/// <summary>The forms of names that Kubernetes and Istio share.</summary>
internal static partial class Syntax
{
    /// <summary>RFC 1123: lower case letters, digits and dashes, 63 at most.</summary>
    public static bool IsDnsLabel(string text) => text.Length is > 0 and <= 63 && DnsLabel().IsMatch(text);

    /// <summary>"shop", "shop.example", "SHOP.example." - but not "10.0.0.1", whose last label is all digits.</summary>
    public static bool IsHost(string text) => HostFault(text, allowWildcard: false) is null;

    /// <summary>As <see cref="IsHost"/>, or with "*" or "*-x" as its first label.</summary>
    public static bool IsHostOrWildcard(string text) => HostFault(text, allowWildcard: true) is null;

    /// <summary>What is wrong with a host; null: nothing.</summary>
    public static string? HostFault(string text, bool allowWildcard)
    {
        if (text.Length == 0)
            return "is empty";
        if (text.Length > 255)
            return "has more than 255 characters";
        var labels = text.TrimEnd('.').Split('.');
        for (var i = 0; i < labels.Length; i++)
        {
            var label = labels[i];
            var good = label.Length <= 63 && (HostLabel().IsMatch(label) || (i == 0 && allowWildcard && WildcardLabel().IsMatch(label)));
            if (!good)
                return $"is not a host: \"{label}\" is no label of one";
        }
        return labels.Length > 1 && labels[^1].All(char.IsAsciiDigit) ? $"is not a host: its last label {labels[^1]} is a number" : null;
    }

    public static bool IsAddress(string text) => IpBytes.Parse(text) is not null;

    public static bool IsAddressOrCidr(string text) => IpBytes.ParsePrefix(text) is not null;

    public static bool IsPort(long? number) => number is >= 1 and <= IPEndPoint.MaxPort;

    /// <summary>A key of a label: an optional DNS prefix, then at most 63 of letters, digits, "-", "_" and ".".</summary>
    public static bool IsLabelKey(string text)
    {
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        var (prefix, name) = slash < 0 ? (null, text) : (text[..slash], text[(slash + 1)..]);
        return name.Length is > 0 and <= 63 && LabelName().IsMatch(name) && (prefix is null || IsHost(prefix));
    }

    public static bool IsLabelValue(string text) => text.Length <= 63 && (text.Length == 0 || LabelName().IsMatch(text));

    public static bool IsHeaderName(string text) => HeaderName().IsMatch(text);

    /// <summary>Why a pattern is not RE2 (no look-around, no back-references); null: it is.</summary>
    public static string? RegexFault(string pattern)
    {
        try
        {
            _ = new Regex(pattern.Replace("(?P<", "(?<", StringComparison.Ordinal), RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
            return null;
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            return e.Message;
        }
    }

    [GeneratedRegex(@"\A[a-z0-9]([-a-z0-9]*[a-z0-9])?\z")]
    private static partial Regex DnsLabel();

    [GeneratedRegex(@"\A[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?\z")]
    private static partial Regex HostLabel();

    [GeneratedRegex(@"\A\*(-[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?)?\z")]
    private static partial Regex WildcardLabel();

    [GeneratedRegex(@"\A[a-zA-Z0-9]([-_.a-zA-Z0-9]*[a-zA-Z0-9])?\z")]
    private static partial Regex LabelName();

    [GeneratedRegex(@"\A[-_A-Za-z0-9]+\z")]
    private static partial Regex HeaderName();
}
