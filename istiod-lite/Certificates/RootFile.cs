using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.RegularExpressions;

namespace Mesh.IstiodLite.Certificates;

/// <summary>Where the replacement of the root stands.</summary>
internal enum RootPhase
{
    /// <summary>One root signs and is trusted.</summary>
    Steady,
    /// <summary>The next root is trusted already and signs nothing yet: every workload must have heard of it first.</summary>
    Introducing,
    /// <summary>The new root signs, the old one is still trusted: certificates that it signed are still in use.</summary>
    Retiring,
}

/// <summary>The mesh's own roots: the text of one secret file, so that no crash can leave a key without its certificate or a phase without its roots.</summary>
/// <param name="Signer">Certificate with key; the first block of the file.</param>
/// <param name="Next">With key; while it is introduced.</param>
/// <param name="Old">Without keys; while they are retired.</param>
/// <param name="Since">When the phase began, by the clock.</param>
internal sealed partial record RootFile(X509Certificate2 Signer, X509Certificate2? Next, IReadOnlyList<X509Certificate2> Old, DateTimeOffset Since)
{
    public RootPhase Phase => Next is not null ? RootPhase.Introducing : Old.Count > 0 ? RootPhase.Retiring : RootPhase.Steady;

    public string RootsPem => string.Concat(((X509Certificate2?[])[Signer, Next, .. Old]).OfType<X509Certificate2>().Select(AuthorityMaterial.Pem));

    /// <exception cref="CryptographicException">It does not begin with a certificate and its key.</exception>
    public static RootFile Parse(string text)
    {
        var certificates = AuthorityMaterial.Certificates(text);
        var keys = Keys(text);
        if (certificates.Count == 0 || keys.Count is 0 or > 2 || keys.Count > certificates.Count)
            throw new CryptographicException($"{certificates.Count} certificates and {keys.Count} keys.");
        var since = SinceLine().Match(text) is { Success: true } match ? DateTimeOffset.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture) : DateTimeOffset.MinValue;
        return new RootFile(
            X509Certificate2.CreateFromPem(AuthorityMaterial.Pem(certificates[0]), keys[0]),
            keys.Count == 2 ? X509Certificate2.CreateFromPem(AuthorityMaterial.Pem(certificates[1]), keys[1]) : null,
            [.. certificates.Skip(keys.Count)], since);
    }

    /// <summary>Secret.</summary>
    public string ToSecretText()
    {
        var text = new StringBuilder();
        if (Phase is not RootPhase.Steady)
            text.Append(CultureInfo.InvariantCulture, $"{Phase} since {Since:O}\n");
        foreach (var root in ((X509Certificate2?[])[Signer, Next]).OfType<X509Certificate2>())
        {
            using var key = root.GetECDsaPrivateKey()!;
            text.Append(AuthorityMaterial.Pem(root)).Append(key.ExportPkcs8PrivateKeyPem()).Append('\n');
        }

        foreach (var root in Old)
            text.Append(AuthorityMaterial.Pem(root));
        return text.ToString();
    }

    /// <summary>Names no key: what is printed of it must not.</summary>
    public override string ToString() => $"{Phase} root valid until {Signer.NotAfter.ToUniversalTime():u}";

    private static List<string> Keys(string text)
    {
        var keys = new List<string>();
        var rest = text.AsSpan();
        while (PemEncoding.TryFind(rest, out var fields))
        {
            if (rest[fields.Label].EndsWith("PRIVATE KEY", StringComparison.Ordinal))
                keys.Add(rest[fields.Location].ToString());
            rest = rest[fields.Location.End..];
        }

        return keys;
    }

    [GeneratedRegex(@"^\w+ since (\S+)$", RegexOptions.Multiline)]
    private static partial Regex SinceLine();
}
