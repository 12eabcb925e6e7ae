using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Mesh.Xds.Grpc;

/// <summary>Which roots a server's certificate must chain to: a file, the roots of the system, or PEM text given directly.</summary>
/// <remarks>A file is read again for every handshake, so that a rotated root is honoured at the next reconnect.</remarks>
public sealed class GrpcServerTrust
{
    private readonly string? _path;
    private readonly string? _pem;

    private GrpcServerTrust(string? path, string? pem)
    {
        _path = path;
        _pem = pem;
    }

    public static readonly GrpcServerTrust System = new(null, null);

    public static GrpcServerTrust FromFile(string path) => new(path, null);

    public static GrpcServerTrust FromPem(string pem) => new(null, pem);

    /// <summary>How <c>XDS_ROOT_CA</c> and <c>CA_ROOT_CA</c> are read: an existing path, the word SYSTEM, otherwise PEM text.</summary>
    public static GrpcServerTrust Parse(string setting)
    {
        if (File.Exists(setting))
            return FromFile(setting);
        if (setting == "SYSTEM")
            return System;
        // A path that does not exist yet must not end as "no PEM in ./var/run/...": the mount may appear later.
        return setting.Contains("-----BEGIN", StringComparison.Ordinal) ? FromPem(setting) : FromFile(setting);
    }

    /// <summary>The roots, or null for the system's. Throws with the place that is wrong.</summary>
    public X509Certificate2Collection? Load()
    {
        if (_path is null && _pem is null)
            return null;
        var roots = new X509Certificate2Collection();
        try
        {
            roots.ImportFromPem(_pem ?? File.ReadAllText(_path!));
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw new InvalidOperationException($"cannot read the root certificates from {this}: {e.Message}", e);
        }

        return roots.Count > 0 ? roots : throw new InvalidOperationException($"{this} holds no certificate in PEM form");
    }

    public override string ToString() => (_path, _pem) switch
    {
        (not null, _) => $"file {_path}",
        (_, not null) => "inline PEM",
        _ => "system roots",
    };
}
