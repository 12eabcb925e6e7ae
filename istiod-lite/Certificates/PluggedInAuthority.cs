using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Mesh.IstiodLite.Telemetry;
using Mesh.Runtime.Logging;

namespace Mesh.IstiodLite.Certificates;

/// <summary>
/// An intermediate authority that somebody else made, in a folder as Istio's Secret cacerts is mounted (ca-cert.pem, ca-key.pem, root-cert.pem, cert-chain.pem) or as a
/// kubernetes.io/tls Secret (tls.crt, tls.key, ca.crt). Looked at every few seconds; a change that cannot be used leaves what was there in force and is a fault.
/// </summary>
internal sealed class PluggedInAuthority : IDisposable
{
    /// <summary>Certificates that were taken back; optional.</summary>
    public const string CrlFile = "ca-crl.pem";
    private static readonly TimeSpan _check = TimeSpan.FromSeconds(5);

    private readonly string _folder;
    private readonly string _stateFolder;
    private readonly TimeProvider _time;
    private readonly Health _health;
    private readonly Log? _log;
    private ITimer? _timer;
    private CertificateAuthority? _authority;

    // the timer only
    private string _seen;

    /// <summary>Throws <see cref="StateException"/> when the folder is not complete and consistent.</summary>
    public PluggedInAuthority(string folder, string stateFolder, TimeProvider time, Health health, Log? log)
    {
        (_folder, _stateFolder, _time, _health, _log) = (folder, stateFolder, time, health, log);
        StateFiles.CreateFolder(stateFolder);
        _seen = Stamps();
        Material = Load();
        Publish();
    }

    public AuthorityMaterial Material { get; private set; }

    public void Keep(CertificateAuthority authority)
    {
        _authority = authority;
        _timer = _time.CreateTimer(_ => Check(), null, _check, _check);
    }

    public void Dispose() => _timer?.Dispose();

    private void Check()
    {
        if (Material.Ending(_time.GetUtcNow()) is { } ending)
            _health.Failing("plugged-in authority end", $"{ending}. Put the next one into {_folder}");
        else
            _health.Recovered("plugged-in authority end");
        var now = Stamps();
        if (now == _seen)
            return;
        try
        {
            var next = Load();
            var (before, after) = (Roots(Material.RootsPem), Roots(next.RootsPem));
            if (!before.IsSubsetOf(after) && !after.IsSubsetOf(before))
                throw Unusable("its roots have nothing in common with those that the workloads trust; add the new root to the old ones first, and take the old ones away when every workload has renewed");
            Material = next;
            Publish();
            _authority!.Replace(next);
            _seen = now;
            _health.Recovered("plugged-in authority");
            _log?.Info($"the authority in {_folder} is a new one, valid until {next.Signer.NotAfter.ToUniversalTime():u}");
        }
        catch (StateException e)
        {
            // The files may not be complete yet; looked at again with the next check.
            _health.Failing("plugged-in authority", $"{e.Message}; the one before stays in force");
        }
    }

    private AuthorityMaterial Load()
    {
        var tls = !File.Exists(Path.Combine(_folder, "ca-cert.pem")) && File.Exists(Path.Combine(_folder, "tls.crt"));
        var certificate = Read(tls ? "tls.crt" : "ca-cert.pem");
        var key = Read(tls ? "tls.key" : "ca-key.pem");
        var roots = Read(tls ? "ca.crt" : "root-cert.pem");
        var chain = tls ? certificate : certificate + (File.Exists(Path.Combine(_folder, "cert-chain.pem")) ? "\n" + Read("cert-chain.pem") : "");
        try
        {
            var signer = X509Certificate2.CreateFromPem(certificate, key);
            var trusted = AuthorityMaterial.Certificates(roots);
            var rootHashes = Roots(roots);
            // The file may hold the signer twice and the root at its end; neither is sent.
            var intermediates = AuthorityMaterial.Certificates(chain).DistinctBy(c => c.Thumbprint, StringComparer.Ordinal).Where(c => !rootHashes.Contains(c.Thumbprint)).ToList();
            Verify(signer, intermediates, trusted);
            return new AuthorityMaterial(signer, [.. intermediates.Select(AuthorityMaterial.Pem)], string.Concat(trusted.Select(AuthorityMaterial.Pem)));
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw Unusable($"it does not hold a certificate, its key and roots: {e.Message}");
        }
    }

    private void Verify(X509Certificate2 signer, List<X509Certificate2> intermediates, X509Certificate2Collection roots)
    {
        if (signer.Extensions.OfType<X509BasicConstraintsExtension>().SingleOrDefault() is not { CertificateAuthority: true })
            throw Unusable("its certificate is none of an authority (basicConstraints CA:TRUE)");
        using var chain = new X509Chain
        {
            ChainPolicy = { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck, DisableCertificateDownloads = true, VerificationTime = _time.GetUtcNow().UtcDateTime },
        };
        chain.ChainPolicy.CustomTrustStore.AddRange(roots);
        chain.ChainPolicy.ExtraStore.AddRange(intermediates.ToArray());
        if (!chain.Build(signer))
            throw Unusable($"its certificate does not lead to its roots: {string.Join(' ', chain.ChainStatus.Select(s => s.StatusInformation.Trim()))}");
    }

    private static HashSet<string> Roots(string pem) => [.. AuthorityMaterial.Certificates(pem).Select(c => c.Thumbprint)];

    private void Publish()
    {
        StateFiles.Replace(Path.Combine(_stateFolder, SelfMadeRoot.PublicFile), Material.RootsPem);
        var crl = Path.Combine(_folder, CrlFile);
        if (File.Exists(crl))
            StateFiles.Replace(Path.Combine(_stateFolder, CrlFile), Read(CrlFile));
    }

    private string Read(string name)
    {
        try
        {
            return File.ReadAllText(Path.Combine(_folder, name));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Unusable($"{name} cannot be read: {e.Message}");
        }
    }

    private StateException Unusable(string reason) => new(Runtime.ExitCodes.Data, $"the authority in {_folder} cannot be used: {reason}");

    /// <summary>What tells two states of the folder apart.</summary>
    private string Stamps()
    {
        try
        {
            return string.Join('\n', Directory.EnumerateFiles(_folder).Order(StringComparer.Ordinal).Select(f => Sources.Files.FileStamp.Of(f) is { } stamp ? $"{f} {stamp.Length} {stamp.Written.Ticks}" : f));
        }
        catch (IOException e)
        {
            return e.Message;
        }
    }
}
