using System.Security.Cryptography.X509Certificates;

namespace Mesh.Kubernetes.Connection;

/// <summary>Where the API server is, whom it must be, and who we are.</summary>
public sealed record ClusterConfiguration
{
    public required Uri Server { get; init; }

    /// <summary>Null: the system's authorities.</summary>
    public TrustedRoots? Roots { get; init; }

    /// <summary>Name that the server's certificate must carry, where it is not the host of <see cref="Server"/>.</summary>
    public string? TlsServerName { get; init; }

    /// <summary>The kubeconfig says insecure-skip-tls-verify.</summary>
    public bool SkipVerification { get; init; }

    public Credentials Credentials { get; init; } = Credentials.None;

    /// <summary>Where objects go when nobody says otherwise.</summary>
    public string Namespace { get; init; } = "default";

    public Uri? Proxy { get; init; }

    /// <summary>Where this came from, for messages.</summary>
    public string Origin { get; init; } = "given";
}

/// <summary>Configuration that cannot be used. The message says which file or setting and what to do.</summary>
public sealed class ClusterConfigurationException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Authorities from a file (looked at again whenever it changed, as kubelet replaces it) or as they were given.</summary>
public sealed class TrustedRoots
{
    private readonly Lock _gate = new();
    private readonly string? _path;
    private X509Certificate2Collection _current;
    private DateTime _read;

    private TrustedRoots(string? path, X509Certificate2Collection current, DateTime read)
    {
        _path = path;
        _current = current;
        _read = read;
    }

    public static TrustedRoots FromPem(string pem, string origin) => new(null, Parse(pem, origin), default);

    public static TrustedRoots FromFile(string path) => new(path, Parse(Read(path), path), WriteTime(path));

    /// <summary>An unreadable or empty new version is passed over: the last good one keeps connections possible.</summary>
    public X509Certificate2Collection Current
    {
        get
        {
            if (_path is null)
                return _current;
            lock (_gate)
            {
                try
                {
                    var written = WriteTime(_path);
                    if (written != _read)
                    {
                        _current = Parse(Read(_path), _path);
                        _read = written;
                    }
                }
                catch (ClusterConfigurationException)
                {
                    // The time stays the old one: the next handshake looks again.
                }
                return _current;
            }
        }
    }

    private static DateTime WriteTime(string path)
    {
        // A projected volume is a chain of symbolic links; the target is what changes.
        var target = new FileInfo(path).ResolveLinkTarget(returnFinalTarget: true);
        return (target ?? new FileInfo(path)).LastWriteTimeUtc;
    }

    private static string Read(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ClusterConfigurationException($"the certificate authority file {path} cannot be read: {e.Message}", e);
        }
    }

    private static X509Certificate2Collection Parse(string pem, string origin)
    {
        var certificates = new X509Certificate2Collection();
        try
        {
            certificates.ImportFromPem(pem);
        }
        catch (System.Security.Cryptography.CryptographicException e)
        {
            throw new ClusterConfigurationException($"the certificate authority of {origin} is not PEM: {e.Message}", e);
        }
        return certificates.Count > 0 ? certificates : throw new ClusterConfigurationException($"the certificate authority of {origin} holds no certificate");
    }
}
