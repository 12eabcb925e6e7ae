using System.Net;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Mesh.Runtime.Logging;

namespace Mesh.IstiodLite.Certificates;

/// <summary>The certificate of port 15012, renewed at half of its life and when the authority changes. Handshakes take whichever is current.</summary>
internal sealed class ServerCertificate : IDisposable
{
    private readonly CertificateAuthority _authority;
    private readonly IReadOnlyList<string> _names;
    private readonly IReadOnlyList<IPAddress> _addresses;
    private readonly TimeProvider _time;
    private readonly Log? _log;
    private readonly ITimer _timer;
    private volatile X509Certificate2 _current;
    private volatile SslServerAuthenticationOptions _options;

    public ServerCertificate(CertificateAuthority authority, IReadOnlyList<string> names, IReadOnlyList<IPAddress> addresses, TimeProvider time, Log? log)
    {
        (_authority, _names, _addresses, _time, _log) = (authority, names, addresses, time, log);
        (_current, _options) = Issue();
        _timer = time.CreateTimer(_ => Renew(), null, Half(), Timeout.InfiniteTimeSpan);
        authority.Changed += Renew;
    }

    /// <summary>For a handshake that begins now.</summary>
    public SslServerAuthenticationOptions Options => _options;

    public void Dispose()
    {
        _authority.Changed -= Renew;
        _timer.Dispose();
    }

    private void Renew()
    {
        // The old one is not disposed: handshakes may still be using it, and the finalizer frees it.
        (_current, _options) = Issue();
        _timer.Change(Half(), Timeout.InfiniteTimeSpan);
        _log?.Info($"server certificate renewed, valid until {_current.NotAfter.ToUniversalTime():u}");
    }

    private (X509Certificate2, SslServerAuthenticationOptions) Issue()
    {
        var (certificate, context) = _authority.IssueServer(_names, _addresses);
        return (certificate, new SslServerAuthenticationOptions
        {
            ServerCertificateContext = context,
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
            ApplicationProtocols = [SslApplicationProtocol.Http2, SslApplicationProtocol.Http11],
        });
    }

    private TimeSpan Half()
    {
        var left = new DateTimeOffset(_current.NotAfter.ToUniversalTime()) - _time.GetUtcNow();
        return left > TimeSpan.FromSeconds(2) ? left / 2 : TimeSpan.FromSeconds(1);
    }
}
