using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Mesh.Identity.Certificates;
using Mesh.Model;

namespace Mesh.IstiodLite.Certificates;

/// <summary>How long certificates live.</summary>
internal sealed record CertificateLifetimes
{
    /// <summary>Where a request names no duration (Istio: DEFAULT_WORKLOAD_CERT_TTL).</summary>
    public TimeSpan Default { get; init; } = TimeSpan.FromHours(24);
    /// <summary>Requests for more are refused (Istio: MAX_WORKLOAD_CERT_TTL).</summary>
    public TimeSpan Maximum { get; init; } = TimeSpan.FromDays(90);
    /// <summary>Of a root that is made here (Istio: CITADEL_SELF_SIGNED_CA_CERT_TTL).</summary>
    public TimeSpan Root { get; init; } = TimeSpan.FromDays(3650);
    /// <summary>Of the control plane's own server certificate; it is renewed at half of it.</summary>
    public TimeSpan Server { get; init; } = TimeSpan.FromHours(24);
}

/// <summary>The mesh's own root: a P-256 key in the state folder that only the owner may read. Signs; decides nothing.</summary>
internal sealed class CertificateAuthority : IDisposable
{
    public const string RootFile = "root-cert.pem";
    public const string KeyFile = "root-key.pem";
    private static readonly TimeSpan _clockSkew = TimeSpan.FromMinutes(2);

    private readonly X509Certificate2 _root;
    private readonly CertificateLifetimes _lifetimes;
    private readonly TimeProvider _time;

    private CertificateAuthority(X509Certificate2 root, CertificateLifetimes lifetimes, TimeProvider time)
    {
        _root = root;
        _lifetimes = lifetimes;
        _time = time;
        RootPem = root.ExportCertificatePem() + "\n";
    }

    public string RootPem { get; }
    public DateTimeOffset NotAfter => new(_root.NotAfter.ToUniversalTime());

    /// <summary>Opens the authority of a state folder, or makes a new one there.</summary>
    public static CertificateAuthority Open(string stateFolder, string trustDomain, CertificateLifetimes lifetimes, TimeProvider time)
    {
        StateFiles.CreateFolder(stateFolder);
        var keyPath = Path.Combine(stateFolder, KeyFile);
        var rootPath = Path.Combine(stateFolder, RootFile);
        // Key and certificate are one secret file, so that no crash can leave a key without its certificate; the public copy is derived.
        var secret = StateFiles.ReadSecret(keyPath);
        if (secret is null)
        {
            using var made = CertificateIssuer.CreateRoot(trustDomain, lifetimes.Root, _clockSkew, time);
            using var key = made.GetECDsaPrivateKey()!;
            secret = made.ExportCertificatePem() + "\n" + key.ExportPkcs8PrivateKeyPem() + "\n";
            if (!StateFiles.TryCreate(keyPath, secret, secret: true))
                secret = StateFiles.ReadSecret(keyPath)!;
        }
        X509Certificate2 root;
        try
        {
            root = X509Certificate2.CreateFromPem(secret, secret);
        }
        catch (CryptographicException e)
        {
            throw new StateException(Runtime.ExitCodes.Data, $"{keyPath} does not hold a certificate and its key: {e.Message} Restore it, or remove it to start with a new root (all certificates issued so far then lose their trust)");
        }
        var authority = new CertificateAuthority(root, lifetimes, time);
        if (authority.NotAfter <= time.GetUtcNow())
            throw new StateException(Runtime.ExitCodes.Configuration, $"the root certificate in {keyPath} expired on {authority.NotAfter:u}: remove the file to start with a new root");
        StateFiles.Replace(rootPath, authority.RootPem);
        return authority;
    }

    /// <summary>Leaf first, root last, one certificate per element: clients rely on this layout. Null: the duration is above the limit.</summary>
    public IReadOnlyList<string>? Sign(ReadCsr request, SpiffeId identity, TimeSpan requested)
    {
        var ttl = requested <= TimeSpan.Zero ? _lifetimes.Default : requested;
        if (ttl > _lifetimes.Maximum)
            return null;
        using var leaf = CertificateIssuer.SignWorkload(_root, request, identity, Options(ttl));
        return [leaf.ExportCertificatePem() + "\n", RootPem];
    }

    public X509Certificate2 IssueServer(IReadOnlyList<string> names, IReadOnlyList<IPAddress> addresses) => CertificateIssuer.IssueServer(_root, names, addresses, Options(_lifetimes.Server));

    public void Dispose() => _root.Dispose();

    /// <summary>
    /// Set back for clocks that are behind. Clients renew at half of the whole validity, so a short life must not be set back by more than a part
    /// of itself, or its half would be in the past from the start.
    /// </summary>
    private IssueOptions Options(TimeSpan ttl) => IssueOptions.For(ttl, ttl >= TimeSpan.FromHours(1) ? _clockSkew : ttl / 20, _time);
}
