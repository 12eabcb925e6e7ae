using System.Net;
using FsCheck.Xunit;
using Google.Protobuf;
using Mesh.Model;
using Mesh.Model.Collections;
using Mesh.Model.Policy;
using Mesh.Model.Workloads;
using Mesh.Xds.Wds;

namespace Mesh.Xds.Tests.Wds;

/// <summary>What the encoder writes, the decoder reads as the same thing; each property builds a whole record out of one random seed.</summary>
public sealed class RoundTripTests
{
    [Property(MaxTest = 300)]
    public void Workload_EncodedAndDecoded_IsEqual(int seed)
    {
        var workload = new Build(seed).Workload();
        var bytes = WdsEncoder.Encode(workload).ToByteArray();
        Assert.Equal(workload, WdsDecoder.Decode(Istio.Workload.Workload.Parser.ParseFrom(bytes)));
    }

    [Property(MaxTest = 300)]
    public void Service_EncodedAndDecoded_IsEqual(int seed)
    {
        var service = new Build(seed).Service();
        var bytes = WdsEncoder.Encode(service).ToByteArray();
        Assert.Equal(service, WdsDecoder.Decode(Istio.Workload.Service.Parser.ParseFrom(bytes)));
    }

    [Property(MaxTest = 300)]
    public void Policy_EncodedAndDecoded_IsEqual(int seed)
    {
        var policy = new Build(seed).Policy();
        var bytes = PolicyEncoder.Encode(policy).ToByteArray();
        Assert.Equal(policy, PolicyDecoder.Decode(Istio.Security.Authorization.Parser.ParseFrom(bytes)));
    }

    private sealed class Build(int seed)
    {
        private readonly Random _random = new(seed);

        public Workload Workload() => new()
        {
            Uid = Word(),
            Name = Word(),
            Namespace = Word(),
            TrustDomain = Some("cluster.local", "td"),
            ServiceAccount = Some("default", "sa"),
            Network = Some("", "net1"),
            Addresses = List(Ip),
            NetworkMode = Any<NetworkMode>(),
            Protocol = Any<TunnelProtocol>(),
            Waypoint = Maybe(Gateway),
            NetworkGateway = Maybe(Gateway),
            ApplicationTunnel = Maybe(() => new ApplicationTunnel(Any<ApplicationTunnelProtocol>(), _random.Next(2) == 0 ? null : (ushort)_random.Next(1, 65536))),
            Node = Word(),
            ClusterId = Some("Kubernetes", "east"),
            Locality = _random.Next(2) == 0 ? Locality.Unknown : new Locality(Word(), Word(), Word()),
            Hostname = Some("", "db.example"),
            Status = Any<HealthStatus>(),
            Capacity = (uint)_random.Next(0, 4),
            NativeTunnel = _random.Next(2) == 0,
            CanonicalName = Word(),
            CanonicalRevision = Word(),
            WorkloadName = Word(),
            WorkloadType = Any<WorkloadType>(),
            Services = Enumerable.Range(0, _random.Next(4)).Select(i => new ServiceMembership(new NamespacedHostname("ns", $"host{i}"), Ports())).ToValueList(),
            AuthorizationPolicies = List(Word),
        };

        public Service Service() => new()
        {
            Name = Word(),
            Namespace = Word(),
            Hostname = Word(),
            Vips = List(() => new NetworkAddress(Word(), Ip())),
            CidrVips = List(() => new NetworkPrefix(Word(), Block(31))),
            Ports = Ports(),
            SubjectAltNames = List(() => new SpiffeId(Word(), Word(), Word())),
            Waypoint = Maybe(Gateway),
            WeightedWaypoints = List(() => new WeightedWaypoint(Gateway(), (uint)_random.Next(100))),
            LoadBalancer = Maybe(() => new LoadBalancer { RoutingPreferences = List(Any<LoadBalancerScope>), Mode = Any<LoadBalancerMode>(), HealthPolicy = Any<HealthPolicy>() }),
            IpFamilies = _random.Next(2) == 0 ? null : Any<IpFamilies>(),
            Canonical = _random.Next(2) == 0,
            IngressUseWaypoint = _random.Next(2) == 0,
            Visibility = Any<ServiceVisibility>(),
        };

        public AuthorizationPolicy Policy() => new()
        {
            Name = Word(),
            Namespace = Word(),
            Scope = Any<PolicyScope>(),
            Action = Any<PolicyAction>(),
            DryRun = _random.Next(2) == 0,
            Rules = List(() => new PolicyRule(List(() => new PolicyClause(List(Match))))),
        };

        private PolicyMatch Match() => new()
        {
            Namespaces = List(Text),
            NotNamespaces = List(Text),
            Principals = List(Text),
            NotPrincipals = List(Text),
            ServiceAccounts = List(() => new ServiceAccountMatch(Word(), Word())),
            NotServiceAccounts = List(() => new ServiceAccountMatch(Word(), Word())),
            SourceIps = List(() => Block(32)),
            NotSourceIps = List(() => Block(32)),
            DestinationIps = List(() => Block(32)),
            NotDestinationIps = List(() => Block(32)),
            DestinationPorts = List(() => (ushort)_random.Next(65536)),
            NotDestinationPorts = List(() => (ushort)_random.Next(65536)),
        };

        private StringMatch Text() => Any<StringMatchKind>() is var kind && kind == StringMatchKind.Presence ? StringMatch.Presence : new StringMatch(kind, Word());

        private GatewayAddress Gateway() => _random.Next(2) == 0
            ? GatewayAddress.ByAddress(new NetworkAddress(Word(), Ip()), (ushort)_random.Next(65536))
            : GatewayAddress.ByHostname(new NamespacedHostname(Word(), Word()), (ushort)_random.Next(65536));

        private PortMap Ports() => PortMap.Create(List(() => new ServicePort((ushort)_random.Next(65536), (ushort)_random.Next(65536), Any<AppProtocol>())));

        private IPAddress Ip()
        {
            var bytes = new byte[_random.Next(2) == 0 ? 4 : 16];
            _random.NextBytes(bytes);
            bytes[0] = 0xFD;
            return new IPAddress(bytes);
        }

        private IpPrefix Block(int longest) => IpPrefix.TryCreate(Ip(), _random.Next(longest + 1), out var prefix) ? prefix : throw new InvalidOperationException();

        private T? Maybe<T>(Func<T> make)
            where T : class => _random.Next(2) == 0 ? null : make();

        private ValueList<T> List<T>(Func<T> make) => Enumerable.Range(0, _random.Next(3)).Select(_ => make()).ToValueList();

        private T Any<T>()
            where T : struct, Enum => Enum.GetValues<T>()[_random.Next(Enum.GetValues<T>().Length)];

        private string Some(string one, string other) => _random.Next(2) == 0 ? one : other;

        private string Word() => $"w{_random.Next(20)}";
    }
}
