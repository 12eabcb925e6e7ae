using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Mesh.Net.Native;

namespace Mesh.Net.Tls;

/// <summary>The judgement on the peer's certificate of one handshake, by the caller's options.</summary>
/// <remarks>
/// With a validation callback that alone decides: it is given the chain unbuilt, with what the peer sent in its extra store, and the errors say that nothing
/// was checked yet. Without one the chain is built by the options' policy and the name is compared.
/// </remarks>
internal sealed class PeerCheck(object sender, RemoteCertificateValidationCallback? callback, X509ChainPolicy? policy, string? name, Func<TlsRefusal>? refusal)
{
    /// <summary>The peer's certificate, whatever the judgement. Belongs to the transport.</summary>
    internal X509Certificate2? Certificate { get; private set; }

    /// <summary>Why it was refused; null when it was not, or when it did not come to that.</summary>
    internal TlsHandshakeResult? Refused { get; private set; }

    /// <returns>0, or the X509_V_ERR_* that makes OpenSSL send the right alert.</returns>
    internal int Run(nint store)
    {
        try
        {
            Certificate = TlsSession.Copy(LibCrypto.X509_STORE_CTX_get0_cert(store));
            using var chain = new X509Chain { ChainPolicy = policy?.Clone() ?? new X509ChainPolicy() };
            var sent = LibCrypto.X509_STORE_CTX_get0_untrusted(store);
            for (var i = 1; i < LibCrypto.OPENSSL_sk_num(sent); i++) // the first is the certificate itself
                chain.ChainPolicy.ExtraStore.Add(TlsSession.Copy(LibCrypto.OPENSSL_sk_value(sent, i)));
            Refused = callback is null ? ByPolicy(chain, Certificate) : ByCallback(callback, chain, Certificate);
        }
        catch (Exception e)
        {
            // Never through OpenSSL's frames. What cannot be checked is not trusted.
            Refused = new TlsHandshakeResult(TlsFailure.BadCertificate, $"the check of the peer's certificate failed: {e.Message}");
        }

        if (Refused is not { } refused)
            return 0;
        return (int)(refusal?.Invoke() ?? (refused.Failure == TlsFailure.UnknownAuthority ? TlsRefusal.UnknownAuthority : TlsRefusal.BadCertificate));
    }

    /// <summary>OpenSSL has ended the handshake because there is none: the owner's callback hears of it too.</summary>
    internal void RunWithout() => callback?.Invoke(sender, null, null, SslPolicyErrors.RemoteCertificateNotAvailable);

    private TlsHandshakeResult? ByCallback(RemoteCertificateValidationCallback decide, X509Chain chain, X509Certificate2 certificate) =>
        decide(sender, certificate, chain, SslPolicyErrors.RemoteCertificateChainErrors) ? null : new(TlsFailure.BadCertificate, "the peer's certificate was refused");

    private TlsHandshakeResult? ByPolicy(X509Chain chain, X509Certificate2 certificate)
    {
        if (!chain.Build(certificate))
        {
            var status = chain.ChainStatus.Aggregate(X509ChainStatusFlags.NoError, (all, s) => all | s.Status);
            const X509ChainStatusFlags Stranger = X509ChainStatusFlags.UntrustedRoot | X509ChainStatusFlags.PartialChain | X509ChainStatusFlags.NotSignatureValid;
            return new((status & Stranger) != 0 ? TlsFailure.UnknownAuthority : TlsFailure.BadCertificate, $"the peer's certificate is not valid: {status}");
        }

        return string.IsNullOrEmpty(name) || certificate.MatchesHostname(name) ? null : new(TlsFailure.BadCertificate, $"the peer's certificate is not for {name}");
    }
}
