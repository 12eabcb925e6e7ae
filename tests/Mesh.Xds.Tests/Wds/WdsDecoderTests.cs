using System.Net;
using Google.Protobuf;
using Mesh.Model;
using Mesh.Model.Workloads;
using Mesh.Xds.Wds;
using Proto = Istio.Workload;

namespace Mesh.Xds.Tests.Wds;

public sealed class WdsDecoderTests
{
    [Fact]
    public void Workload_WithNothingButAUid_HasTheDefaults()
    {
        var workload = WdsDecoder.Decode(new Proto.Workload { Uid = "u" });
        Assert.Equal(new Workload { Uid = "u" }, workload);
        Assert.Equal("spiffe://cluster.local/ns//sa/default", workload.Identity.ToString());
        Assert.Equal(("Kubernetes", 1u), (workload.ClusterId, workload.Capacity));
    }

    [Fact]
    public void Workload_WithCapacityZero_KeepsIt() => Assert.Equal(0u, WdsDecoder.Decode(new Proto.Workload { Capacity = 0 }).Capacity);

    [Theory]
    [InlineData(3)]
    [InlineData(0)]
    [InlineData(17)]
    public void Workload_WithABadAddress_IsRejected(int length)
    {
        var workload = new Proto.Workload { Addresses = { ByteString.CopyFrom(new byte[length]) } };
        Assert.Equal($"failed to parse address, had {length} bytes", Rejected(() => WdsDecoder.Decode(workload)));
    }

    [Fact]
    public void Workload_ThatSpeaksLegacyTls_IsRejected() =>
        Assert.Contains("LEGACY_ISTIO_MTLS", Rejected(() => WdsDecoder.Decode(new Proto.Workload { TunnelProtocol = Proto.TunnelProtocol.LegacyIstioMtls })), StringComparison.Ordinal);

    [Fact]
    public void Workload_WithAServiceKeyWithoutSlash_IsRejected()
    {
        var workload = new Proto.Workload { Services = { ["echo.default"] = new Proto.PortList() } };
        Assert.Contains("echo.default", Rejected(() => WdsDecoder.Decode(workload)), StringComparison.Ordinal);
    }

    [Fact]
    public void Workload_WithEnumValuesThatDoNotExist_IsRejectedExceptForItsType()
    {
        Rejected(() => WdsDecoder.Decode(new Proto.Workload { TunnelProtocol = (Proto.TunnelProtocol)9 }));
        Rejected(() => WdsDecoder.Decode(new Proto.Workload { NetworkMode = (Proto.NetworkMode)9 }));
        Rejected(() => WdsDecoder.Decode(new Proto.Workload { Status = (Proto.WorkloadStatus)9 }));
        Rejected(() => WdsDecoder.Decode(new Proto.Workload { ApplicationTunnel = new Proto.ApplicationTunnel { Protocol = (Proto.ApplicationTunnel.Types.Protocol)9 } }));
        Assert.Equal(WorkloadType.Deployment, WdsDecoder.Decode(new Proto.Workload { WorkloadType = (Proto.WorkloadType)9 }).WorkloadType);
    }

    [Fact]
    public void Gateway_WithoutDestination_IsRejected()
    {
        Rejected(() => WdsDecoder.Decode(new Proto.Workload { Waypoint = new Proto.GatewayAddress { HboneMtlsPort = 15008 } }));
        Rejected(() => WdsDecoder.Decode(new Proto.Service { WeightedWaypoints = { new Proto.WeightedWaypoint { Weight = 1 } } }));
    }

    [Fact]
    public void Port_AboveSixteenBits_IsCutOff()
    {
        var service = WdsDecoder.Decode(new Proto.Service { Ports = { new Proto.Port { ServicePort = 65536 + 80, TargetPort = 8080 } } });
        Assert.True(service.Ports.TryGetTarget(80, out var target));
        Assert.Equal(8080, target);
    }

    [Fact]
    public void Service_AddressesWithLength_AreBlocksUnlessWhole()
    {
        var service = WdsDecoder.Decode(new Proto.Service
        {
            Addresses =
            {
                Address("198.18.2.1", null), Address("198.18.2.2", 32), Address("fd00::1", 128), Address("198.18.4.0", 24), Address("fd00::", 32),
            },
        });
        Assert.Equal(["/198.18.2.1", "/198.18.2.2", "/fd00::1"], service.Vips.Select(v => v.ToString()));
        Assert.Equal(["/198.18.4.0/24", "/fd00::/32"], service.CidrVips.Select(c => c.ToString()));
        Rejected(() => WdsDecoder.Decode(new Proto.Service { Addresses = { Address("198.18.4.0", 33) } }));
    }

    [Fact]
    public void Service_WithUnspecifiedScopeOrUnknownMode_IsRejected()
    {
        Rejected(() => WdsDecoder.Decode(new Proto.Service { LoadBalancing = new() { RoutingPreference = { Proto.LoadBalancing.Types.Scope.UnspecifiedScope } } }));
        Rejected(() => WdsDecoder.Decode(new Proto.Service { LoadBalancing = new() { Mode = (Proto.LoadBalancing.Types.Mode)9 } }));
        Rejected(() => WdsDecoder.Decode(new Proto.Service { IpFamilies = (Proto.IPFamilies)9 }));
        Assert.Equal(LoadBalancerMode.Standard, WdsDecoder.Decode(new Proto.Service { LoadBalancing = new() }).LoadBalancer!.Mode);
        Assert.Null(WdsDecoder.Decode(new Proto.Service()).LoadBalancer);
    }

    [Fact]
    public void Service_WithUnknownVisibility_IsPublic() =>
        Assert.Equal(ServiceVisibility.Public, WdsDecoder.Decode(new Proto.Service { Visibility = (Proto.Service.Types.Visibility)9 }).Visibility);

    [Fact]
    public void Service_WithANameThatIsNoSpiffeId_LeavesItOutAndSaysSo()
    {
        var warnings = new List<string>();
        var service = WdsDecoder.Decode(new Proto.Service { SubjectAltNames = { "spiffe://cluster.local/ns/a/sa/b", "www.example.com" } }, warnings.Add);
        Assert.Equal(["spiffe://cluster.local/ns/a/sa/b"], service.SubjectAltNames.Select(s => s.ToString()));
        Assert.Contains("www.example.com", Assert.Single(warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void Address_OfNeitherKind_IsRejected() => Rejected(() => WdsDecoder.Decode(new Proto.Address(), new MeshUpdate()));

    private static Proto.NetworkAddress Address(string ip, uint? length)
    {
        var address = new Proto.NetworkAddress { Address = ByteString.CopyFrom(IPAddress.Parse(ip).GetAddressBytes()) };
        if (length is { } value)
            address.Length = value;
        return address;
    }

    private static string Rejected(Action decode) => Assert.Throws<WdsRejectedException>(decode).Message;
}
