using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Mesh.Waypoint.Tests.Harness;

namespace Mesh.Waypoint.Tests.Forwarding;

/// <summary>TLS to applications outside the mesh, as DestinationRule <c>tls</c> asks.</summary>
public sealed class ClientTlsTests
{
    [Fact]
    public async Task Simple_TrustedServer_IsReached()
    {
        using var server = new TlsOrigin("orders.shop.svc.cluster.local", askForClient: false);
        await using var mesh = await StartAsync(server, tls => tls.Mode = V1.ClientTls.Types.Mode.Simple);
        Assert.Equal("nobody", await mesh.TextAsync("/"));
    }

    [Fact]
    public async Task Simple_AnotherName_Is503UfAndNothingIsSent()
    {
        using var server = new TlsOrigin("somebody.else", askForClient: false);
        await using var mesh = await StartAsync(server, tls => tls.Mode = V1.ClientTls.Types.Mode.Simple);
        using var response = await mesh.GetAsync("/");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Equal("URX,UF", (await mesh.Waypoint.NextReportAsync()).Flags);
        Assert.Equal(0, server.Requests);
    }

    [Fact]
    public async Task Simple_NameThatTheRuleLists_IsAccepted()
    {
        using var server = new TlsOrigin("somebody.else", askForClient: false);
        await using var mesh = await StartAsync(server, tls =>
        {
            tls.Mode = V1.ClientTls.Types.Mode.Simple;
            tls.SubjectAltNames.Add("somebody.else");
        });
        Assert.Equal("nobody", await mesh.TextAsync("/"));
    }

    [Fact]
    public async Task Mutual_PresentsTheClientCertificate()
    {
        using var server = new TlsOrigin("orders.shop.svc.cluster.local", askForClient: true);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var client = TlsOrigin.SelfSigned("client-of-ours", key);
        await using var mesh = await StartAsync(server, tls =>
        {
            tls.Mode = V1.ClientTls.Types.Mode.Mutual;
            tls.CertificateChainPem = client.ExportCertificatePem();
            tls.PrivateKeyPem = key.ExportPkcs8PrivateKeyPem();
        });
        Assert.Equal("CN=client-of-ours", await mesh.TextAsync("/"));
    }

    [Fact]
    public async Task Mutual_WithoutACertificate_IsRefusedAsConfiguration()
    {
        await using var mesh = await OneService.StartAsync([1]);
        var cluster = new V1.Cluster { Name = OneService.ClusterName, Tls = new V1.ClientTls { Mode = V1.ClientTls.Types.Mode.Mutual } };
        Assert.Contains("without a client certificate", Assert.Single(mesh.Waypoint.Configuration.ApplyClusters([(OneService.ClusterName, cluster)], [])).ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Simple_OfAnAuthorizersCluster_HoldsForTheWaypointsOwnCallsToo()
    {
        using var guard = new TlsOrigin("guard.infra", askForClient: false);
        await using var origin = await Origin.TextAsync("ok");
        var policy = new V1.RequestPolicy
        {
            Name = "AuthorizationPolicy/shop/ask",
            Namespace = "shop",
            Authorization = new V1.AuthorizationRules
            {
                Action = V1.AuthorizationRules.Types.Action.Custom,
                Rules = { new V1.AuthorizationRule() },
                Authorizer = new V1.ExternalAuthorizer { Name = "guard", Cluster = "guard", Authority = "guard.infra:9000", Http = new V1.ExternalAuthorizer.Types.HttpCheck() },
            },
        };
        await using var mesh = await OneService.StartAsync([origin.Port], policies: policy);
        var cluster = PythonService.Cluster("guard", guard.Port);
        cluster.Tls = new V1.ClientTls { Mode = V1.ClientTls.Types.Mode.Simple, Sni = "guard.infra", CaCertificatesPem = guard.Certificate.ExportCertificatePem() };
        Assert.Empty(mesh.Waypoint.Configuration.ApplyClusters([("guard", cluster)], []));
        Assert.Equal("ok", await mesh.TextAsync("/"));
        Assert.Equal(1, guard.Requests);
    }

    private static Task<OneService> StartAsync(TlsOrigin server, Action<V1.ClientTls> change) => OneService.StartAsync(
        [server.Port],
        cluster: c =>
        {
            c.Tls = new V1.ClientTls { CaCertificatesPem = server.Certificate.ExportCertificatePem() };
            change(c.Tls);
        });

    private sealed class TlsOrigin : IDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        private readonly bool _askForClient;
        private int _requests;

        public TlsOrigin(string name, bool askForClient)
        {
            _askForClient = askForClient;
            Certificate = SelfSigned(name, _key);
            _listener.Start();
            _ = AcceptAsync();
        }

        public X509Certificate2 Certificate { get; }

        public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

        public int Requests => Volatile.Read(ref _requests);

        public static X509Certificate2 SelfSigned(string name, ECDsa key)
        {
            var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
            var names = new SubjectAlternativeNameBuilder();
            names.AddDnsName(name);
            request.CertificateExtensions.Add(names.Build());
            using var made = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddHours(-1), DateTimeOffset.UtcNow.AddHours(1));
            return X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), null);
        }

        public void Dispose()
        {
            _listener.Stop();
            Certificate.Dispose();
            _key.Dispose();
        }

        private async Task AcceptAsync()
        {
            try
            {
                while (true)
                    _ = ServeAsync(await _listener.AcceptTcpClientAsync());
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // The test is over.
            }
        }

        private async Task ServeAsync(TcpClient client)
        {
            try
            {
                await using var stream = new SslStream(client.GetStream());
                await stream.AuthenticateAsServerAsync(new SslServerAuthenticationOptions
                {
                    ServerCertificate = Certificate,
                    ClientCertificateRequired = _askForClient,
                    RemoteCertificateValidationCallback = (_, _, _, _) => true,
                });
                using var reader = new StreamReader(stream, Encoding.Latin1, leaveOpen: true);
                while (await reader.ReadLineAsync() is { } line)
                {
                    if (line.Length > 0)
                        continue;
                    Interlocked.Increment(ref _requests);
                    var body = stream.RemoteCertificate?.Subject ?? "nobody";
                    await stream.WriteAsync(Encoding.Latin1.GetBytes($"HTTP/1.1 200 OK\r\nContent-Length: {body.Length}\r\n\r\n{body}"));
                }
            }
            catch (Exception e) when (e is IOException or System.Security.Authentication.AuthenticationException or ObjectDisposedException)
            {
                // The waypoint refused us or closed.
            }
        }
    }
}
