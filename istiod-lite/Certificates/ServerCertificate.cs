using System.Net;
using System.Security.Cryptography.X509Certificates;
using Mesh.Runtime.Logging;

namespace Mesh.IstiodLite.Certificates;

/// <summary>The certificate of port 15012, renewed at half of its life. Handshakes take whichever is current.</summary>
internal sealed class ServerCertificate : IDisposable
{
    private readonly CertificateAuthority _authority;
    private readonly IReadOnlyList<string> _names;
    private readonly IReadOnlyList<IPAddress> _addresses;
    private readonly TimeProvider _time;
    private readonly Log? _log;
    private readonly ITimer _timer;
    private volatile X509Certificate2 _current;

    public ServerCertificate(CertificateAuthority authority, IReadOnlyList<string> names, IReadOnlyList<IPAddress> addresses, TimeProvider time, Log? log)
    {
        (_authority, _names, _addresses, _time, _log) = (authority, names, addresses, time, log);
        _current = authority.IssueServer(names, addresses);
        _timer = time.CreateTimer(_ => Renew(), null, Half(), Timeout.InfiniteTimeSpan);
    }

    public X509Certificate2 Current => _current;

    public void Dispose() => _timer.Dispose();

    private void Renew()
    {
        // The old one is not disposed: handshakes may still be using it, and the finalizer frees it.
        _current = _authority.IssueServer(_names, _addresses);
        _timer.Change(Half(), Timeout.InfiniteTimeSpan);
        _log?.Info($"server certificate renewed, valid until {_current.NotAfter.ToUniversalTime():u}");
    }

    private TimeSpan Half()
    {
        var left = new DateTimeOffset(_current.NotAfter.ToUniversalTime()) - _time.GetUtcNow();
        return left > TimeSpan.FromSeconds(2) ? left / 2 : TimeSpan.FromSeconds(1);
    }
}
