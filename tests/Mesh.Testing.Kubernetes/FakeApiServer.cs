using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Mesh.Testing.Kubernetes.Access;
using Mesh.Testing.Kubernetes.Serving;
using Mesh.Testing.Kubernetes.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Mesh.Testing.Kubernetes;

/// <summary>
/// A Kubernetes API server for tests: list in pages, watch, server-side apply with field ownership, status, finalizers and owners, leases, reviews,
/// tokens, CRDs, RBAC and admission webhooks, all in memory, over HTTPS (h2 and HTTP/1.1) and plain HTTP. What it cannot do: schemas and defaults of
/// CRDs, kubelet, scheduler, controllers.
/// </summary>
public sealed class FakeApiServer : IAsyncDisposable
{
    public const string AdminToken = "admin-token";
    private const int FewestThreads = 32;
    private readonly RequestHandler _handler;
    private readonly Watches _watches;
    private readonly Lists _lists;
    private readonly X509Certificate2 _authority;
    private readonly X509Certificate2 _certificate;
    private WebApplication? _application;
    private int _plainPort;
    private int _securePort;

    /// <summary>A write that a webhook judges holds its thread until the webhook, often in the same process, has answered: on few cores all of them would wait for each other.</summary>
    static FakeApiServer()
    {
        ThreadPool.GetMinThreads(out var workers, out var ports);
        ThreadPool.SetMinThreads(Math.Max(workers, FewestThreads), ports);
    }

    /// <param name="time">Null: the system's.</param>
    /// <param name="inside">Where else clients find it, behind something that passes their connections on.</param>
    public FakeApiServer(TimeProvider? time = null, IPAddress? inside = null)
    {
        time ??= TimeProvider.System;
        Store = new ApiStore(time);
        Tokens = new Tokens(Store, time);
        Tokens.Add(AdminToken, new ApiUser("admin", ["system:masters", "system:authenticated"]));
        Authorization = new RoleAuthorizer(Store);
        Webhooks = new AdmissionWebhooks(Store);
        _lists = new Lists(Store);
        _watches = new Watches(Store, time);
        _handler = new RequestHandler(Store, Tokens, Authorization, Webhooks, Faults, _lists, _watches);
        (_authority, _certificate) = MakeCertificates(inside ?? IPAddress.Loopback);
    }

    public ApiStore Store { get; }
    public Tokens Tokens { get; }
    public RoleAuthorizer Authorization { get; }
    public AdmissionWebhooks Webhooks { get; }
    public Faults Faults { get; } = new();
    public Uri PlainAddress => new($"http://127.0.0.1:{_plainPort}");
    public Uri Address => new($"https://127.0.0.1:{_securePort}");
    public string AuthorityPem => _authority.ExportCertificatePem();
    public int OpenWatches => _watches.Open;

    /// <summary>Whether lists may be asked for as streams (Kubernetes 1.32); a server that may not refuses them with 422.</summary>
    public bool StreamingLists
    {
        get => _watches.StreamingLists;
        set => _watches.StreamingLists = value;
    }

    /// <summary>As servers before 1.27: the parameter of streaming lists is not known and ignored.</summary>
    public bool IgnoresStreamingLists
    {
        get => _watches.IgnoresStreamingLists;
        set => _watches.IgnoresStreamingLists = value;
    }

    /// <summary>Method, path and query of what was asked, the newest last.</summary>
    public IReadOnlyList<string> Requests => [.. _handler.Log];

    /// <summary>What was asked as RBAC sees it, with the verdict, the newest last.</summary>
    public IReadOnlyList<AccessRecord> Accesses => [.. _handler.Accesses];

    /// <summary>
    /// From now on roles count, and those of a manifest are stored. The token is one of the manifest's service account; nobody has to issue it, and it does not expire.
    /// </summary>
    public string ActAs(string manifest, string ns, string account)
    {
        foreach (var item in ManifestFile.Read(manifest).Where(o => ((string)o["apiVersion"]!).StartsWith("rbac.", StringComparison.Ordinal)))
            Store.Put(item);
        Authorization.Enforced = true;
        var token = $"token-of-{account}";
        Tokens.Add(token, new ApiUser(RoleCoverage.ServiceAccount(ns, account), ["system:serviceaccounts", $"system:serviceaccounts:{ns}", "system:authenticated"]));
        return token;
    }

    /// <summary>Ports 0: any that are free. A server that was stopped starts again on the ports it had, with its objects.</summary>
    public async Task StartAsync(int plainPort = 0, int securePort = 0)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        ListenOptions? plain = null, secure = null;
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = 3 << 20;
            kestrel.Listen(IPAddress.Loopback, plainPort != 0 ? plainPort : _plainPort, l => (plain = l).Protocols = HttpProtocols.Http1);
            kestrel.Listen(IPAddress.Loopback, securePort != 0 ? securePort : _securePort, l =>
            {
                secure = l;
                l.Protocols = HttpProtocols.Http1AndHttp2;
                l.UseHttps(new HttpsConnectionAdapterOptions
                {
                    ServerCertificate = _certificate,
                    ClientCertificateMode = ClientCertificateMode.AllowCertificate,
                    ClientCertificateValidation = (certificate, _, _) => certificate.IssuerName.RawData.AsSpan().SequenceEqual(_authority.SubjectName.RawData),
                });
            });
        });
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        builder.Services.Configure<HostOptions>(o => o.ShutdownTimeout = TimeSpan.FromSeconds(1));
        _application = builder.Build();
        ControlPages.Map(_application, this);
        _application.Run(_handler.HandleAsync);
        await _application.StartAsync();
        _plainPort = plain!.IPEndPoint!.Port;
        _securePort = secure!.IPEndPoint!.Port;
    }

    /// <summary>As SIGTERM and a crash in one: open watches are cut, nobody listens; objects stay.</summary>
    public async Task StopAsync()
    {
        if (_application is null)
            return;
        _watches.EndAll();
        await _application.StopAsync();
        await _application.DisposeAsync();
        _application = null;
    }

    /// <summary>What follows a restart of a real server: no watch cache, no continue tokens.</summary>
    public void ForgetHistory()
    {
        Store.Compact();
        _lists.ExpireTokens();
    }

    public void EndWatches() => _watches.EndAll();

    public void InstallMeshKinds()
    {
        foreach (var definition in ServedKind.MeshDefinitions())
            Store.Put(definition);
    }

    /// <summary>Stores an object as it is, status included.</summary>
    public StoredObject Put(string json) => Store.Put((JsonObject)JsonNode.Parse(json)!);

    /// <summary>The object as it is now; null: not there.</summary>
    public JsonObject? Get(string group, string plural, string ns, string name) => Store.Find(group, plural, ns, name)?.Body;

    public string KubeConfig(string token = AdminToken) => $"""
        apiVersion: v1
        kind: Config
        current-context: fake
        clusters:
        - name: fake
          cluster:
            server: {Address.ToString().TrimEnd('/')}
            certificate-authority-data: {Convert.ToBase64String(Encoding.UTF8.GetBytes(AuthorityPem))}
        users:
        - name: fake
          user:
            token: {token}
        contexts:
        - name: fake
          context:
            cluster: fake
            user: fake
        """;

    /// <summary>A client certificate that the server accepts; certificate and key as PEM.</summary>
    public (string Certificate, string Key) IssueClientCertificate(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        using var certificate = request.Create(_authority, new DateTimeOffset(_authority.NotBefore), new DateTimeOffset(_authority.NotAfter), RandomNumberGenerator.GetBytes(8));
        return (certificate.ExportCertificatePem(), key.ExportPkcs8PrivateKeyPem());
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _authority.Dispose();
        _certificate.Dispose();
    }

    private static (X509Certificate2 Authority, X509Certificate2 Server) MakeCertificates(IPAddress inside)
    {
        var now = TimeProvider.System.GetUtcNow();
        using var rootKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var rootRequest = new CertificateRequest("CN=fake-apiserver-ca", rootKey, HashAlgorithmName.SHA256);
        rootRequest.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        rootRequest.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        var root = rootRequest.CreateSelfSigned(now.AddMinutes(-5), now.AddDays(2));
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=kube-apiserver", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        names.AddIpAddress(inside);
        foreach (var name in (string[])["localhost", "kubernetes", "kubernetes.default.svc"])
            names.AddDnsName(name);
        request.CertificateExtensions.Add(names.Build());
        using var issued = request.Create(root, new DateTimeOffset(root.NotBefore), new DateTimeOffset(root.NotAfter), RandomNumberGenerator.GetBytes(8));
        using var joined = issued.CopyWithPrivateKey(key);
        return (root, X509CertificateLoader.LoadPkcs12(joined.Export(X509ContentType.Pfx), null));
    }

    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
