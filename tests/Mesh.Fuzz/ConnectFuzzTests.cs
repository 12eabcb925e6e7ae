using System.Net;
using System.Text;
using Mesh.Hbone;
using Mesh.Http2;
using Mesh.Model;
using Mesh.Model.Workloads;
using Mesh.Ztunnel.Inbound;

namespace Mesh.Fuzz;

/// <summary>What a peer with a valid certificate may write into a CONNECT. The saved inputs are header lines, or the value of one header.</summary>
public sealed class ConnectFuzzTests
{
    private static readonly IPAddress ServerAddress = IPAddress.Parse("198.18.1.21");

    /// <summary>Any authority, at any pod, is served at that pod's own address and never on our own ports, or refused with one of two statuses.</summary>
    [Fact]
    public void Connect_OfAnyHeaders_StaysAtThePodOrIsRefused() => Corpus.Run("connect", 20_000, (bytes, _) =>
    {
        var headers = Headers(Encoding.Latin1.GetString(bytes));
        if (TraceParent.TryParse(headers.Get(HboneHeaders.TraceParent), out var trace))
            Assert.Equal(headers.Get(HboneHeaders.TraceParent)![3..52], trace.ToString()[3..52]); // the version and the flags are ours
        if (SpiffeId.TryParse(headers.Get(HboneHeaders.ClientPrincipal), out var client))
            Assert.Equal(headers.Get(HboneHeaders.ClientPrincipal), client.ToString());
        if (!Authority.TryParse(headers.Get(":authority"), out var authority))
            return;
        Assert.True(Authority.TryParse(authority.ToString(), out var again) && again == authority, $"{authority} is read as {again}");
        foreach (var pod in FuzzWorld.Pods)
        {
            var own = pod.Addresses[0];
            var decision = InboundRouter.Decide(FuzzWorld.Mesh, pod, own, authority, IsOurs, localhostAppTunnel: false);
            if (decision.Route is not { } route)
            {
                Assert.Contains(decision.Status, (int[])[400, 503]);
                Assert.NotEmpty(decision.Failure.Text);
                continue;
            }

            Assert.Equal(own, route.Target.Address);
            Assert.False(IsOurs(route.Target.Port), $"port {route.Target.Port} is ours");
            Assert.True(authority.Address is null || authority.Address.Equals(own) || pod.ApplicationTunnel is not null || ReferenceEquals(pod, FuzzWorld.Waypoint), $"{authority} is not {own}");
        }
    });

    /// <summary>Labels of any text: what was taken can be written and is then read as the same.</summary>
    [Fact]
    public void Baggage_OfAnyLines_SurvivesWritingAndReading() => Corpus.Run("baggage", 20_000, (bytes, _) =>
    {
        var read = Baggage.Parse(Encoding.Latin1.GetString(bytes).Split('\n'));
        Assert.Equal(read, Baggage.Parse([read.ToString()]));
    });

    [Fact]
    public void Forwarded_OfAnyText_NamesAHostOrNone() => Corpus.Run("forwarded", 20_000, (bytes, _) =>
    {
        var headers = new HeaderList { new HeaderField(HboneHeaders.Forwarded, Encoding.Latin1.GetString(bytes)) };
        var host = HboneHeaders.ForwardedHost(headers);
        Assert.True(host is null || (host.Length > 0 && Ascii.IsValid(host)), $"the host is '{host}'");
        HboneHeaders.ForwardedFor(headers);
        InboundRouter.GuessService(FuzzWorld.Mesh, FuzzWorld.Pods[0], host, 8080);
        if (host?.AsSpan().IndexOfAny(';', '"', ' ') < 0)
            Assert.Equal(host, HboneHeaders.ForwardedHost([new HeaderField(HboneHeaders.Forwarded, HboneHeaders.FormatForwarded(new IPEndPoint(ServerAddress, 1), host))]));
    });

    private static bool IsOurs(int port) => port is 15001 or 15006 or 15008;

    private static HeaderList Headers(string text)
    {
        var headers = new HeaderList();
        foreach (var line in text.Split('\n'))
        {
            // The colon of a pseudo-header is part of its name.
            var colon = line.Length > 1 ? line.IndexOf(':', 1) : -1;
            if (colon > 0)
                headers.Add(new HeaderField(line[..colon], line[(colon + 1)..].TrimStart(' ')));
        }

        return headers;
    }
}

/// <summary>The registry behind the saved inputs: a server, a waypoint, a sandwiched waypoint, and services of each kind.</summary>
internal static class FuzzWorld
{
    private const string Namespace = "default";

    public static Workload Waypoint { get; } = Pod("wp", "198.18.1.42");

    public static IReadOnlyList<Workload> Pods { get; } =
    [
        Pod("sv", "198.18.1.21", "fd00:18:1::21") with { Services = [In("echo", 80, 8080)] },
        Waypoint,
        Pod("sandwich", "198.18.1.43") with { ApplicationTunnel = new ApplicationTunnel(ApplicationTunnelProtocol.Proxy, 15088) },
        Pod("web-0", "198.18.1.51") with { Services = [In("web", 80, 8080)] },
    ];

    public static MeshSnapshot Mesh { get; } = Build();

    private static MeshSnapshot Build()
    {
        var update = new MeshUpdate();
        update.Workloads.AddRange(Pods);
        update.Services.Add(Service("echo", "198.18.2.1"));
        update.Services.Add(Service("guarded", "198.18.2.2") with { Waypoint = GatewayAddress.ByAddress(new NetworkAddress(string.Empty, Waypoint.Addresses[0]), 15008) });
        update.Services.Add(Service("web", null));
        update.Services.Add(Service("wild", "198.18.2.9") with { Hostname = "*.wild.example.com" });
        var state = new MeshState("n1");
        state.Apply(update);
        return state.Current;
    }

    private static Workload Pod(string name, params string[] addresses) => new()
    {
        Uid = $"Kubernetes//Pod/{Namespace}/{name}",
        Name = name,
        Namespace = Namespace,
        ServiceAccount = name,
        Addresses = [.. addresses.Select(IPAddress.Parse)],
        Protocol = TunnelProtocol.Hbone,
        Node = "n1",
    };

    private static Service Service(string name, string? vip) => new()
    {
        Name = name,
        Namespace = Namespace,
        Hostname = $"{name}.{Namespace}.svc.cluster.local",
        Vips = vip is null ? [] : [new NetworkAddress(string.Empty, IPAddress.Parse(vip))],
        Ports = PortMap.Create([new ServicePort(80, 8080)]),
    };

    private static ServiceMembership In(string service, ushort port, ushort target) =>
        new(new NamespacedHostname(Namespace, $"{service}.{Namespace}.svc.cluster.local"), PortMap.Create([new ServicePort(port, target)]));
}
