using System.Net.Security;
using System.Runtime.CompilerServices;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;

namespace Mesh.Net.Tls;

/// <summary>What of .NET's options goes into a shared context. Equal rules share one.</summary>
internal sealed record TlsRules(
    bool IsServer,
    SslProtocols Protocols,
    CipherSuitesPolicy? Policy,
    IReadOnlyList<SslApplicationProtocol>? ApplicationProtocols,
    SslStreamCertificateContext? Own,
    bool VerifyPeer,
    X509ChainPolicy? Trust)
{
    internal IEnumerable<TlsCipherSuite>? Suites => OperatingSystem.IsLinux() ? Policy?.AllowedCipherSuites : null;

    /// <summary>RFC 8446 4.2.4: a server that asks for certificates names the authorities it trusts.</summary>
    internal X509Certificate2Collection? NamedAuthorities => IsServer && VerifyPeer ? Trust?.CustomTrustStore : null;

    internal static TlsRules Of(SslClientAuthenticationOptions o) =>
        new(false, o.EnabledSslProtocols, o.CipherSuitesPolicy, o.ApplicationProtocols, o.ClientCertificateContext, true, null);

    internal static TlsRules Of(SslServerAuthenticationOptions o) =>
        new(true, o.EnabledSslProtocols, o.CipherSuitesPolicy, o.ApplicationProtocols, o.ServerCertificateContext, o.ClientCertificateRequired, o.CertificateChainPolicy);

    /// <summary>The chain policy is made anew for each handshake, but its roots belong to the certificate context: they are not compared.</summary>
    public bool Equals(TlsRules? other) =>
        other is not null && IsServer == other.IsServer && Protocols == other.Protocols && ReferenceEquals(Policy, other.Policy) &&
        ReferenceEquals(Own, other.Own) && VerifyPeer == other.VerifyPeer &&
        (ReferenceEquals(ApplicationProtocols, other.ApplicationProtocols) || (ApplicationProtocols ?? []).SequenceEqual(other.ApplicationProtocols ?? []));

    public override int GetHashCode() => HashCode.Combine(IsServer, Protocols, VerifyPeer);
}

/// <summary>Contexts by certificate: reading certificate and key costs more than the rest of a handshake's preparation. Any thread.</summary>
internal static class TlsContexts
{
    // A certificate is renewed about once a day; what was made for the old one goes with it.
    private static readonly ConditionalWeakTable<SslStreamCertificateContext, Dictionary<TlsRules, TlsContext>> s_contexts = [];

    internal static TlsContext Get(TlsRules rules)
    {
        // Only tests do without a certificate.
        if (rules.Own is not { } own)
            return new TlsContext(rules);
        var contexts = s_contexts.GetOrCreateValue(own);
        lock (contexts)
        {
            if (!contexts.TryGetValue(rules, out var context))
                contexts[rules] = context = new TlsContext(rules);
            return context;
        }
    }
}
