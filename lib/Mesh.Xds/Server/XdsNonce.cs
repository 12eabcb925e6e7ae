using System.Globalization;

namespace Mesh.Xds.Server;

/// <summary>
/// Nonces name the version of the table that a client has after the response: "17" where many streams are sent the same bytes, "17-3" for the third
/// response that was made for one stream. Either is used at most once on a stream for a type.
/// </summary>
internal static class XdsNonce
{
    public static string Shared(long version) => version.ToString(CultureInfo.InvariantCulture);

    public static string Own(long version, long response) => string.Create(CultureInfo.InvariantCulture, $"{version}-{response}");

    /// <summary>Null: not one of ours.</summary>
    public static long? VersionOf(string nonce)
    {
        var dash = nonce.IndexOf('-', StringComparison.Ordinal);
        return long.TryParse(dash < 0 ? nonce : nonce.AsSpan(0, dash), NumberStyles.None, CultureInfo.InvariantCulture, out var version) ? version : null;
    }
}
