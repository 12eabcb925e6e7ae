using System.Security.Cryptography;
using Mesh.Identity.Certificates;
using Mesh.IstiodLite.Telemetry;
using Mesh.Runtime.Logging;

namespace Mesh.IstiodLite.Certificates;

/// <summary>
/// The mesh's own root in the state folder, made at the first start and replaced before it ends or when somebody asks, without a refused connection: (1) the next root is trusted
/// by all who renew  (2) it signs, and both are trusted  (3) the old one is dropped. Each step waits for the overlap.
/// </summary>
internal sealed class SelfMadeRoot : IDisposable
{
    public const string PublicFile = "root-cert.pem";
    public const string KeyFile = "root-key.pem";
    /// <summary>Its existence asks for a new root.</summary>
    public const string RequestFile = "rotate-root";

    // Istio: CITADEL_SELF_SIGNED_ROOT_CERT_GRACE_PERIOD_PERCENTILE.
    private const double GraceShare = 0.2;
    private static readonly TimeSpan _longestCheck = TimeSpan.FromSeconds(10);

    private readonly string _folder;
    private readonly string _trustDomain;
    private readonly CertificateLifetimes _lifetimes;
    private readonly TimeProvider _time;
    private readonly Health _health;
    private readonly Log? _log;
    private ITimer? _timer;
    private CertificateAuthority? _authority;

    // the timer only
    private RootFile _file;
    private TimeSpan _elapsedBefore;
    private long _countedFrom;

    /// <summary>Opens the root of a state folder, or makes one. Throws <see cref="StateException"/>.</summary>
    public SelfMadeRoot(string folder, string trustDomain, CertificateLifetimes lifetimes, TimeProvider time, Health health, Log? log)
    {
        (_folder, _trustDomain, _lifetimes, _time, _health, _log) = (folder, trustDomain, lifetimes, time, health, log);
        StateFiles.CreateFolder(folder);
        _file = Open();
        // From here on the monotonic clock counts: a clock that is set must not end an overlap early.
        _elapsedBefore = time.GetUtcNow() - _file.Since;
        _elapsedBefore = _elapsedBefore < TimeSpan.Zero ? TimeSpan.Zero : _elapsedBefore;
        _countedFrom = time.GetTimestamp();
        StateFiles.Replace(Path.Combine(folder, PublicFile), _file.RootsPem);
    }

    public AuthorityMaterial Material => new(_file.Signer, [], _file.RootsPem);

    public RootPhase Phase => _file.Phase;

    private string KeyPath => Path.Combine(_folder, KeyFile);

    /// <summary>From now on the authority follows what happens here.</summary>
    public void Keep(CertificateAuthority authority)
    {
        _authority = authority;
        var check = _lifetimes.RootOverlap / 4 < _longestCheck ? _lifetimes.RootOverlap / 4 : _longestCheck;
        _timer = _time.CreateTimer(_ => Check(), null, check, check);
    }

    public void Dispose() => _timer?.Dispose();

    private RootFile Open()
    {
        var secret = StateFiles.ReadSecret(KeyPath);
        if (secret is null)
        {
            secret = Made().ToSecretText();
            if (!StateFiles.TryCreate(KeyPath, secret, secret: true))
                secret = StateFiles.ReadSecret(KeyPath)!;
        }

        RootFile file;
        try
        {
            file = RootFile.Parse(secret);
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException or FormatException)
        {
            throw new StateException(Runtime.ExitCodes.Data, $"{KeyPath} does not hold a certificate and its key: {e.Message} Restore it, or remove it to start with a new root (all certificates issued so far then lose their trust)");
        }

        return file.Signer.NotAfter.ToUniversalTime() > _time.GetUtcNow().UtcDateTime
            ? file
            : throw new StateException(Runtime.ExitCodes.Configuration, $"the root certificate in {KeyPath} expired on {file.Signer.NotAfter.ToUniversalTime():u}: remove the file to start with a new root");
    }

    private RootFile Made() => new(CertificateIssuer.CreateRoot(_trustDomain, _lifetimes.Root, CertificateAuthority.ClockSkew, _time), null, [], _time.GetUtcNow());

    private void Check()
    {
        try
        {
            if (Next() is { } next)
                Become(next);
            _health.Recovered("root certificate");
        }
        catch (StateException e)
        {
            // The step is taken at a later check; until then everything stays as it is, which is safe in each phase.
            _health.Failing("root certificate", $"{e.Message}; the replacement of the root waits for it");
        }
    }

    private RootFile? Next()
    {
        var waited = _elapsedBefore + _time.GetElapsedTime(_countedFrom) >= _lifetimes.RootOverlap;
        var request = Path.Combine(_folder, RequestFile);
        switch (_file.Phase)
        {
            case RootPhase.Introducing when waited:
                return new RootFile(_file.Next!, null, [AuthorityMaterial.Certificates(AuthorityMaterial.Pem(_file.Signer))[0]], _time.GetUtcNow());
            case RootPhase.Retiring when waited:
                return _file with { Old = [] };
            case RootPhase.Steady when IsEnding() || File.Exists(request):
                return _file with { Next = Made().Signer, Since = _time.GetUtcNow() };
            default:
                return null;
        }
    }

    private bool IsEnding()
    {
        var (begin, end) = (_file.Signer.NotBefore.ToUniversalTime(), _file.Signer.NotAfter.ToUniversalTime());
        return end - _time.GetUtcNow().UtcDateTime < (end - begin) * GraceShare;
    }

    private void Become(RootFile next)
    {
        StateFiles.Replace(KeyPath, next.ToSecretText(), secret: true);
        if (next.Phase is RootPhase.Introducing)
            File.Delete(Path.Combine(_folder, RequestFile));
        _file = next;
        (_elapsedBefore, _countedFrom) = (TimeSpan.Zero, _time.GetTimestamp());
        StateFiles.Replace(Path.Combine(_folder, PublicFile), next.RootsPem);
        _authority!.Replace(Material);
        _log?.Info(next.Phase switch
        {
            RootPhase.Introducing => $"a new root is trusted beside the old one; it signs in {Runtime.DurationText.Format(_lifetimes.RootOverlap)}",
            RootPhase.Retiring => $"the new root signs; the old one is trusted for another {Runtime.DurationText.Format(_lifetimes.RootOverlap)}",
            _ => "the old root is trusted no longer",
        });
    }
}
