using System.Security.Cryptography.X509Certificates;
using System.Text;
using Mesh.Identity.Certificates;
using Mesh.Kubernetes;
using Mesh.Kubernetes.Objects;
using Mesh.Kubernetes.Requests;
using Mesh.Runtime.Logging;

namespace Mesh.IstiodLite.Certificates;

/// <summary>
/// The authority of a cluster (reference: istiod 6.4): the Secret cacerts where somebody plugged one in, else istio-ca-secret, which the first replica
/// makes. All replicas, and an istiod next to them, sign with the same key.
/// </summary>
internal static class ClusterAuthority
{
    public const string PluggedIn = "cacerts";
    public const string SelfSigned = "istio-ca-secret";
    private const string SelfSignedType = "istio.io/ca-root";

    /// <summary>Waits for the API server as long as that takes. A secret that cannot be used is a <see cref="StateException"/>.</summary>
    /// <param name="waiting">Told what is waited for.</param>
    public static async Task<AuthorityMaterial> OpenAsync(KubeClient client, string ns, string trustDomain, TimeSpan rootLife, Action<string> waiting, Log? log, CancellationToken cancellation)
    {
        var backoff = new Backoff(TimeSpan.FromMilliseconds(300), TimeSpan.FromSeconds(10), Random.Shared);
        while (true)
        {
            try
            {
                return await TryOpenAsync(client, ns, trustDomain, rootLife, log, cancellation);
            }
            catch (KubeException e)
            {
                // Also what RBAC forbids: the role may be on its way.
                log?.Warn($"the certificate authority of {ns} cannot be read yet: {e.Message}");
                waiting(e.Message);
                await Task.Delay(backoff.Next(e.RetryAfter), client.Time, cancellation);
            }
        }
    }

    /// <summary>As it is in the cluster now; null: there is none.</summary>
    public static async Task<AuthorityMaterial?> FindAsync(KubeClient client, string ns, CancellationToken cancellation)
    {
        var secret = await client.FindAsync(ResourceTypes.Secrets, ns, PluggedIn, KubeJson.Default.Secret, cancellation)
            ?? await client.FindAsync(ResourceTypes.Secrets, ns, SelfSigned, KubeJson.Default.Secret, cancellation);
        return secret is null ? null : Read(secret, client.Time);
    }

    private static async Task<AuthorityMaterial> TryOpenAsync(KubeClient client, string ns, string trustDomain, TimeSpan rootLife, Log? log, CancellationToken cancellation)
    {
        if (await FindAsync(client, ns, cancellation) is { } existing)
            return existing;
        Secret own;
        try
        {
            own = await client.CreateAsync(ResourceTypes.Secrets, ns, Make(ns, trustDomain, rootLife, client.Time), KubeJson.Default.Secret, cancellation);
            log?.Info($"a new root certificate is in the Secret {ns}/{SelfSigned}");
        }
        catch (KubeException e) when (e.Failure is KubeFailure.AlreadyExists)
        {
            // Another replica was faster: theirs is the root.
            own = await client.FindAsync(ResourceTypes.Secrets, ns, SelfSigned, KubeJson.Default.Secret, cancellation)
                ?? throw new KubeException(KubeFailure.Conflict, $"the Secret {ns}/{SelfSigned} was there a moment ago and is gone", e);
        }
        return Read(own, client.Time);
    }

    private static Secret Make(string ns, string trustDomain, TimeSpan rootLife, TimeProvider time)
    {
        using var root = CertificateIssuer.CreateRoot(trustDomain, rootLife, CertificateAuthority.ClockSkew, time);
        using var key = root.GetECDsaPrivateKey()!;
        var certificate = Encoding.ASCII.GetBytes(root.ExportCertificatePem() + "\n");
        return new Secret
        {
            Metadata = new ObjectMeta { Name = SelfSigned, Namespace = ns },
            Type = SelfSignedType,
            Data = new Dictionary<string, byte[]>(StringComparer.Ordinal)
            {
                ["ca-cert.pem"] = certificate,
                ["ca-key.pem"] = Encoding.ASCII.GetBytes(key.ExportPkcs8PrivateKeyPem() + "\n"),
                ["cert-chain.pem"] = [],
                ["key.pem"] = [],
                ["root-cert.pem"] = certificate,
            },
        };
    }

    private static AuthorityMaterial Read(Secret secret, TimeProvider time)
    {
        string Text(params ReadOnlySpan<string> names)
        {
            foreach (var name in names)
            {
                if (secret.Data?.GetValueOrDefault(name) is { Length: > 0 } bytes)
                    return Encoding.UTF8.GetString(bytes);
            }
            return string.Empty;
        }

        var origin = $"the Secret {secret.Metadata.Namespace}/{secret.Metadata.Name}";
        // The second name of each is the layout of kubernetes.io/tls.
        var certificate = Text("ca-cert.pem", "tls.crt");
        var key = Text("ca-key.pem", "tls.key");
        var roots = Text("root-cert.pem", "ca.crt");
        if (certificate.Length == 0 || key.Length == 0)
            throw new StateException(Runtime.ExitCodes.Data, $"{origin} is incomplete: it needs ca-cert.pem, ca-key.pem and root-cert.pem");
        try
        {
            var signer = X509Certificate2.CreateFromPem(certificate, key);
            if (signer.NotAfter.ToUniversalTime() <= time.GetUtcNow().UtcDateTime)
                throw new StateException(Runtime.ExitCodes.Configuration, $"the authority in {origin} expired on {signer.NotAfter.ToUniversalTime():u}: replace it");
            var trusted = AuthorityMaterial.Certificates(roots.Length > 0 ? roots : certificate);
            var known = trusted.Select(t => t.Thumbprint).ToHashSet(StringComparer.Ordinal);
            // The chain may hold the signer again and the root at its end; neither is sent twice.
            var between = AuthorityMaterial.Certificates(certificate + "\n" + Text("cert-chain.pem")).Where(c => known.Add(c.Thumbprint));
            return new AuthorityMaterial(signer, [.. between.Select(AuthorityMaterial.Pem)], string.Concat(trusted.Select(AuthorityMaterial.Pem)));
        }
        catch (Exception e) when (e is System.Security.Cryptography.CryptographicException or ArgumentException)
        {
            throw new StateException(Runtime.ExitCodes.Data, $"{origin} does not hold a certificate authority: {e.Message} Correct it, or remove it to start with a new root");
        }
    }
}
