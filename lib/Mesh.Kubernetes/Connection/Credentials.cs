using System.Security.Cryptography.X509Certificates;

namespace Mesh.Kubernetes.Connection;

/// <summary>Who we are to the API server. Any thread.</summary>
public abstract class Credentials
{
    public static readonly Credentials None = new Anonymous();

    /// <summary>Null: no Authorization header.</summary>
    public virtual ValueTask<string?> GetTokenAsync(CancellationToken cancellation) => ValueTask.FromResult<string?>(null);

    /// <summary>For the TLS handshake; with its private key.</summary>
    public virtual X509Certificate2? Certificate => null;

    /// <summary>Has to be awaited before a connection is opened: plugins make the certificate first.</summary>
    public virtual ValueTask PrepareAsync(CancellationToken cancellation) => ValueTask.CompletedTask;

    /// <summary>The server answered 401. True: something new is there, try once more.</summary>
    public virtual bool Renew() => false;

    private sealed class Anonymous : Credentials;
}

/// <summary>A token that was given; it cannot be renewed.</summary>
public sealed class StaticToken(string token) : Credentials
{
    public override ValueTask<string?> GetTokenAsync(CancellationToken cancellation) => ValueTask.FromResult<string?>(token);
}

/// <summary>A projected token. kubelet replaces the file at about 80 % of the token's life.</summary>
public sealed class TokenFile(string path, TimeProvider time) : Credentials
{
    /// <summary>client-go's period; a token is replaced minutes before it expires.</summary>
    private static readonly TimeSpan _keep = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private string? _token;
    private long _read;

    public override ValueTask<string?> GetTokenAsync(CancellationToken cancellation)
    {
        lock (_gate)
        {
            if (_token is null || time.GetElapsedTime(_read) >= _keep)
                Read();
            return ValueTask.FromResult(_token);
        }
    }

    public override bool Renew()
    {
        lock (_gate)
        {
            var before = _token;
            Read();
            return _token != before;
        }
    }

    public override string ToString() => $"token file {path}";

    private void Read()
    {
        try
        {
            var text = File.ReadAllText(path).Trim();
            if (text.Length == 0)
                throw new ClusterConfigurationException($"the token file {path} is empty");
            _token = text;
            _read = time.GetTimestamp();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ClusterConfigurationException)
        {
            // The token that we have may still be good; the server decides.
            if (_token is null)
                throw e as ClusterConfigurationException ?? new ClusterConfigurationException($"the token file {path} cannot be read: {e.Message}", e);
        }
    }
}

/// <summary>A client certificate from a kubeconfig; files are read again when they changed.</summary>
public sealed class ClientCertificate : Credentials
{
    private readonly Lock _gate = new();
    private readonly Func<(string Certificate, string Key)> _read;
    private readonly string? _certificateFile;
    private X509Certificate2 _current;
    private DateTime _written;

    private ClientCertificate(Func<(string, string)> read, string? certificateFile)
    {
        _read = read;
        _certificateFile = certificateFile;
        _written = Written();
        _current = Load();
    }

    public static ClientCertificate FromPem(string certificate, string key) => new(() => (certificate, key), null);

    public static ClientCertificate FromFiles(string certificateFile, string keyFile) =>
        new(() => (File.ReadAllText(certificateFile), File.ReadAllText(keyFile)), certificateFile);

    public override X509Certificate2? Certificate
    {
        get
        {
            lock (_gate)
            {
                var written = Written();
                if (written != _written)
                {
                    try
                    {
                        _current = Load();
                        _written = written;
                    }
                    catch (ClusterConfigurationException)
                    {
                        // Half written: the next handshake looks again.
                    }
                }
                return _current;
            }
        }
    }

    private DateTime Written() => _certificateFile is null ? default : File.GetLastWriteTimeUtc(_certificateFile);

    private X509Certificate2 Load()
    {
        try
        {
            var (certificate, key) = _read();
            return X509Certificate2.CreateFromPem(certificate, key);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or System.Security.Cryptography.CryptographicException)
        {
            throw new ClusterConfigurationException($"the client certificate {_certificateFile ?? "of the kubeconfig"} cannot be used: {e.Message}", e);
        }
    }
}
