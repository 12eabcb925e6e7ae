using System.Net.Security;
using System.Security.Cryptography.X509Certificates;

namespace Mesh.Xds.Grpc;

/// <summary>Checks the control plane's certificate: chain to the configured roots, and the URI's host or one alternative name.</summary>
internal sealed class GrpcServerVerifier(GrpcServerTrust trust, string host, string? alternativeHost)
{
    /// <summary>Why the last handshake was refused; the TLS stack's own exception does not say it.</summary>
    public string? LastFailure { get; private set; }

    public bool Verify(object sender, X509Certificate? certificate, X509Chain? presented, SslPolicyErrors errors)
    {
        try
        {
            LastFailure = Explain(certificate as X509Certificate2, presented);
        }
        catch (InvalidOperationException e)
        {
            LastFailure = e.Message;
        }

        return LastFailure is null;
    }

    private string? Explain(X509Certificate2? certificate, X509Chain? presented)
    {
        if (certificate is null)
            return $"{host} presented no certificate";
        if (!certificate.MatchesHostname(host, allowWildcards: true, allowCommonName: false)
            && (alternativeHost is null || !certificate.MatchesHostname(alternativeHost, allowWildcards: true, allowCommonName: false)))
        {
            return $"the certificate presented by {host} is for another name (subject '{certificate.Subject}')"
                + (alternativeHost is null ? string.Empty : $", and not for {alternativeHost} either");
        }

        using var chain = new X509Chain();
        var policy = chain.ChainPolicy;
        policy.RevocationMode = X509RevocationMode.NoCheck;
        policy.DisableCertificateDownloads = true;
        policy.ApplicationPolicy.Add(new global::System.Security.Cryptography.Oid("1.3.6.1.5.5.7.3.1")); // id-kp-serverAuth
        foreach (var element in presented?.ChainElements ?? Enumerable.Empty<X509ChainElement>())
            policy.ExtraStore.Add(element.Certificate);
        foreach (var extra in presented?.ChainPolicy.ExtraStore ?? [])
            policy.ExtraStore.Add(extra);
        if (trust.Load() is { } roots)
        {
            policy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            policy.CustomTrustStore.AddRange(roots);
        }

        if (chain.Build(certificate))
            return null;
        var reasons = string.Join(", ", chain.ChainStatus.Select(s => s.StatusInformation.Trim()).Distinct(StringComparer.Ordinal));
        return $"the certificate presented by {host} does not chain to the {trust}: {reasons}";
    }
}
