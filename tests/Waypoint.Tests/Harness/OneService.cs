using System.Net;
using System.Text;
using Google.Protobuf;
using Mesh.Waypoint.Routing;
using Mesh.Waypoint.Tests.Balancing;

namespace Mesh.Waypoint.Tests.Harness;

/// <summary>One service "orders" on one waypoint, over plain sockets, with origins as its endpoints.</summary>
internal sealed class OneService : IAsyncDisposable
{
    public const string ClusterName = "shop/orders|80|";
    public static readonly OriginalDestination Vip = new(IPAddress.Parse("127.50.1.1"), 80);

    private readonly HttpClient _client;
    private V1.Service _service = new();

    private OneService(TestWaypoint waypoint, IPEndPoint entry, Version version)
    {
        Waypoint = waypoint;
        Entry = entry;
        _client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false, UseCookies = false })
        {
            BaseAddress = new Uri($"http://{entry}"),
            DefaultRequestVersion = version,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Timeout = TimeSpan.FromSeconds(30),
        };
    }

    public TestWaypoint Waypoint { get; }

    public IPEndPoint Entry { get; }

    public string? Identity { get; set; } = Requests.Storefront;

    public static async Task<OneService> StartAsync(
        IEnumerable<int> ports, Action<V1.ServicePort>? port = null, Action<V1.Cluster>? cluster = null, Version? version = null, Mesh.Waypoint.Filters.FilterFolder? filters = null, TestWaypoint? waypoint = null, WaypointLimits? limits = null, params V1.RequestPolicy[] policies)
    {
        waypoint ??= new TestWaypoint(filters: filters, limits: limits);
        await waypoint.StartAsync();
        OneService? mesh = null;
        var entry = waypoint.Serve(Vip, () => mesh!.Identity);
        mesh = new OneService(waypoint, entry, version ?? HttpVersion.Version11);
        mesh.Apply(ports, port, cluster, policies);
        return mesh;
    }

    public void Apply(IEnumerable<int> ports, Action<V1.ServicePort>? port = null, Action<V1.Cluster>? cluster = null, params V1.RequestPolicy[] policies)
    {
        var made = new V1.Cluster { Name = ClusterName, Namespace = "shop", Hostname = "orders.shop.svc.cluster.local", Port = 80, Protocol = V1.Protocol.Http1 };
        var number = 0;
        foreach (var p in ports)
        {
            var endpoint = Clusters.Endpoint(++number, p);
            endpoint.Address = ByteString.CopyFrom(127, 0, 0, 1);
            made.Endpoints.Add(endpoint);
        }

        cluster?.Invoke(made);
        var servicePort = new V1.ServicePort { Port = 80, Protocol = V1.Protocol.Http1, DefaultCluster = ClusterName };
        port?.Invoke(servicePort);
        var service = new V1.Service
        {
            Name = "orders",
            Namespace = "shop",
            Hostname = "orders.shop.svc.cluster.local",
            Addresses = { ByteString.CopyFrom(Vip.Address.GetAddressBytes()) },
            Ports = { servicePort },
            Policies = { policies.Select(p => p.Name) },
        };
        Assert.Empty(Waypoint.Configuration.ApplyClusters([(ClusterName, made)], []));
        Assert.Empty(Waypoint.Configuration.ApplyPolicies(policies.Select(p => (p.Name, p)), []));
        _service = service;
        Assert.Empty(Waypoint.Configuration.ApplyServices([("shop/orders", service)], []));
    }

    /// <summary>The service that was applied last, changed.</summary>
    public void ChangeService(Action<V1.Service> change)
    {
        var service = _service.Clone();
        change(service);
        Assert.Empty(Waypoint.Configuration.ApplyServices([("shop/orders", service)], []));
    }

    /// <summary>A route of everything to the cluster.</summary>
    public static Action<V1.ServicePort> Route(Action<V1.Forward>? forward = null, Action<V1.HttpRoute>? route = null) => port =>
    {
        var made = new V1.HttpRoute { Name = "r", Forward = new V1.Forward { Clusters = { new V1.WeightedCluster { Cluster = ClusterName, Weight = 1 } } } };
        forward?.Invoke(made.Forward);
        route?.Invoke(made);
        port.HttpRoutes.Add(made);
    };

    public Task<HttpResponseMessage> GetAsync(string path, params (string Name, string Value)[] headers) => SendAsync(HttpMethod.Get, path, null, headers);

    public Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, HttpContent? content, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(method, path) { Content = content, Version = _client.DefaultRequestVersion, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        return _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
    }

    public async Task<string> TextAsync(string path, params (string Name, string Value)[] headers)
    {
        using var response = await GetAsync(path, headers);
        return await response.Content.ReadAsStringAsync();
    }

    /// <summary>Sends bytes as they are and reads until the waypoint closes or nothing comes for a while.</summary>
    public async Task<string> RawAsync(string bytes)
    {
        using var client = new System.Net.Sockets.TcpClient();
        await client.ConnectAsync(Entry);
        var stream = client.GetStream();
        await stream.WriteAsync(Encoding.Latin1.GetBytes(bytes));
        var buffer = new byte[64 * 1024];
        var length = 0;
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        while (true)
        {
            int count;
            try
            {
                count = await stream.ReadAsync(buffer.AsMemory(length), patience.Token);
            }
            catch (OperationCanceledException e)
            {
                throw new TimeoutException($"the waypoint did not close after: {Encoding.Latin1.GetString(buffer, 0, length)}", e);
            }

            length += count;
            if (count == 0)
                return Encoding.Latin1.GetString(buffer, 0, length);
        }
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await Waypoint.DisposeAsync();
    }
}
