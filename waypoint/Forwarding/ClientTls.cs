using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Mesh.Identity.Certificates;
using Mesh.Net;
using Mesh.Waypoint.Balancing;

namespace Mesh.Waypoint.Forwarding;

/// <summary>TLS towards an application (DestinationRule <c>tls</c>, SIMPLE and MUTUAL), inside the tunnel where there is one (reference 2.6).</summary>
internal sealed class ClientTls
{
    private static readonly SslApplicationProtocol[] Http2First = [SslApplicationProtocol.Http2];
    private static readonly SslApplicationProtocol[] Http1Only = [SslApplicationProtocol.Http11];

    private readonly string _serverName;
    private readonly string[] _names;
    private readonly X509Certificate2Collection? _authorities;
    private readonly X509Certificate2Collection? _own;
    private readonly bool _skipVerify;

    private ClientTls(V1.Cluster cluster)
    {
        var tls = cluster.Tls;
        _serverName = tls.Sni.Length > 0 ? tls.Sni : cluster.Hostname;
        _names = [.. tls.SubjectAltNames];
        _skipVerify = tls.InsecureSkipVerify;
        _authorities = Text(cluster, tls.CaCertificatesPem, tls.CaCertificatesFile) is { Length: > 0 } ca ? Read(cluster, "CA certificates", ca) : null;
        if (tls.Mode != V1.ClientTls.Types.Mode.Mutual)
            return;
        var chain = Text(cluster, tls.CertificateChainPem, tls.CertificateChainFile);
        var key = Text(cluster, tls.PrivateKeyPem, tls.PrivateKeyFile);
        if (chain.Length == 0 || key.Length == 0)
            throw new ConfigurationException($"cluster {cluster.Name}: TLS mode MUTUAL without a client certificate and its key");
        _own = Read(cluster, "client certificate", chain);
        try
        {
            using var leaf = X509Certificate2.CreateFromPem(chain, key);

            // SslStream wants a key that is not ephemeral on some platforms; a PKCS #12 round trip gives it one.
            _own[0] = X509CertificateLoader.LoadPkcs12(leaf.Export(X509ContentType.Pkcs12), null);
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw new ConfigurationException($"cluster {cluster.Name}: the client certificate and its key cannot be used: {e.Message}");
        }
    }

    /// <summary>DISABLE and ISTIO_MUTUAL mean nothing more: the tunnel encrypts already.</summary>
    /// <exception cref="ConfigurationException">Certificates that cannot be read.</exception>
    public static ClientTls? Compile(V1.Cluster cluster) =>
        cluster.Tls is { Mode: V1.ClientTls.Types.Mode.Simple or V1.ClientTls.Types.Mode.Mutual } ? new ClientTls(cluster) : null;

    /// <exception cref="DialException">The handshake failed; the application saw nothing of the request.</exception>
    public async ValueTask<Stream> WrapAsync(Stream transport, bool http2, CancellationToken cancellation)
    {
        var stream = new TlsStream(transport);
        try
        {
            await stream.AuthenticateAsClientAsync(
                new SslClientAuthenticationOptions
                {
                    TargetHost = _serverName,
                    ApplicationProtocols = [.. http2 ? Http2First : Http1Only],
                    EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
                    ClientCertificateContext = _own is null ? null : SslStreamCertificateContext.Create(_own[0], _own, offline: true),
                    CertificateChainPolicy = _authorities is null ? null : Policy(),
                    RemoteCertificateValidationCallback = Verify,
                },
                cancellation);
            return stream;
        }
        catch (Exception e) when (e is AuthenticationException or IOException)
        {
            await stream.DisposeAsync();
            throw new DialException(DialFailure.Identity, $"TLS to {_serverName} failed: {e.Message}", e);
        }
        catch
        {
            await stream.DisposeAsync();
            throw;
        }
    }

    private X509ChainPolicy Policy()
    {
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck, DisableCertificateDownloads = true };
        policy.CustomTrustStore.AddRange(_authorities!);
        return policy;
    }

    // Names that the rule lists replace the one that was dialled.
    private bool Verify(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        if (_skipVerify)
            return true;
        if (_names.Length == 0)
            return errors == SslPolicyErrors.None;
        return (errors & ~SslPolicyErrors.RemoteCertificateNameMismatch) == SslPolicyErrors.None
            && certificate is X509Certificate2 peer
            && (Array.Exists(_names, n => peer.MatchesHostname(n, allowWildcards: true, allowCommonName: false)) || Uris(peer).Intersect(_names, StringComparer.Ordinal).Any());
    }

    private static IEnumerable<string> Uris(X509Certificate2 certificate) => SubjectAlternativeNames.Identities(certificate).Select(i => i.ToString());

    private static string Text(V1.Cluster cluster, string pem, string file)
    {
        if (file.Length == 0)
            return pem;
        try
        {
            return File.ReadAllText(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ConfigurationException($"cluster {cluster.Name}: {file} cannot be read: {e.Message}");
        }
    }

    private static X509Certificate2Collection Read(V1.Cluster cluster, string what, string pem)
    {
        var result = new X509Certificate2Collection();
        try
        {
            result.ImportFromPem(pem);
        }
        catch (CryptographicException e)
        {
            throw new ConfigurationException($"cluster {cluster.Name}: the {what} cannot be read: {e.Message}");
        }

        return result.Count > 0 ? result : throw new ConfigurationException($"cluster {cluster.Name}: the {what} hold no certificate");
    }
}

/// <summary>Adds an application's own TLS to any connection that asks for it.</summary>
internal sealed class TlsDialer(IUpstreamDialer inner) : IUpstreamDialer
{
    public async ValueTask<Stream> DialAsync(EndpointState endpoint, DialContext context, TimeSpan timeout, CancellationToken cancellation)
    {
        var transport = await inner.DialAsync(endpoint, context, timeout, cancellation);
        return context.Tls is { } tls ? await tls.WrapAsync(transport, context.Http2, cancellation) : transport;
    }
}

/// <summary>TLS over a connection, which knows where that lives.</summary>
internal sealed class TlsStream(Stream transport) : SslStream(transport)
{
    /// <summary>Null: on no loop.</summary>
    public EventLoop? Loop { get; } = (transport as LoopPipeStream)?.Pipe.Loop;
}
