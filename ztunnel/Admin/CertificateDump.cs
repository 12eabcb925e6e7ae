using System.Numerics;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Mesh.Identity.Fetching;

namespace Mesh.Ztunnel.Admin;

/// <summary>The <c>certificates</c> of the dump: public parts only, never a key.</summary>
internal static class CertificateDump
{
    /// <summary>As the Rust ztunnel prints it; RFC 7468 has 64, and readers take any.</summary>
    private const int PemWidth = 60;

    public static JsonArray Of(IReadOnlyList<CertificateStatus> statuses) => new([.. statuses.Select(One)]);

    private static JsonObject One(CertificateStatus status) => new()
    {
        ["identity"] = status.Identity.ToString(),
        ["state"] = status.State == CertificateState.Unavailable ? $"Unavailable: {status.Error}" : status.State.ToString(),
        ["certChain"] = new JsonArray(
            status.Certificate is { } own ? [Certificate(own.Leaf), .. own.Intermediates.Select(Certificate)] : []),
        ["rootCerts"] = new JsonArray(status.Certificate is { } trusted ? [.. trusted.Roots.Select(Certificate)] : []),
    };

    private static JsonObject Certificate(X509Certificate2 certificate) => new()
    {
        ["pem"] = Convert.ToBase64String(Encoding.ASCII.GetBytes(Pem(certificate))),
        ["serialNumber"] = new BigInteger(certificate.SerialNumberBytes.Span, isUnsigned: true, isBigEndian: true).ToString(),
        ["validFrom"] = Time(certificate.NotBefore),
        ["expirationTime"] = Time(certificate.NotAfter),
    };

    private static string Pem(X509Certificate2 certificate)
    {
        var base64 = Convert.ToBase64String(certificate.RawDataMemory.Span);
        var text = new StringBuilder("-----BEGIN CERTIFICATE-----\n");
        for (var i = 0; i < base64.Length; i += PemWidth)
            text.Append(base64, i, Math.Min(PemWidth, base64.Length - i)).Append('\n');
        return text.Append("-----END CERTIFICATE-----\n").ToString();
    }

    private static string Time(DateTime local) => local.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", System.Globalization.CultureInfo.InvariantCulture);
}
