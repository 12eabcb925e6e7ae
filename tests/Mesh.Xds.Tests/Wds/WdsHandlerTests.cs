using Envoy.Service.Discovery.V3;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Mesh.Model;
using Mesh.Model.Workloads;
using Mesh.Xds.Wds;
using Proto = Istio.Workload;

namespace Mesh.Xds.Tests.Wds;

public sealed class WdsHandlerTests
{
    private readonly MeshState _state = new();

    [Fact]
    public void Response_WithOneBadWorkload_AppliesTheOther()
    {
        var result = Addresses(
            ("bad1", new Proto.Address { Workload = new Proto.Workload { Uid = "bad1", Addresses = { ByteString.CopyFromUtf8("abc") } } }),
            ("good1", WdsEncoder.Address(new Workload { Uid = "good1" })));
        Assert.Equal("bad1: failed to parse address, had 3 bytes", result.ErrorText);
        Assert.NotNull(_state.Current.FindWorkloadByUid("good1"));
        Assert.Null(_state.Current.FindWorkloadByUid("bad1"));
    }

    [Fact]
    public void Response_WithGarbage_NamesTheResource()
    {
        var response = new DeltaDiscoveryResponse { TypeUrl = XdsTypeUrls.Address };
        response.Resources.Add(new Resource { Name = "garbage", Resource_ = new Any { Value = ByteString.CopyFrom(0xFF, 0xFF, 0xFF) } });
        response.Resources.Add(new Resource { Name = "empty" });
        var result = new WdsAddressHandler(_state).Apply(response);
        Assert.Equal(["garbage", "empty"], result.Rejections.Select(r => r.Name));
    }

    [Fact]
    public void Removal_OfAWorkloadAndAService_ByTheirNames()
    {
        Addresses(
            ("w", WdsEncoder.Address(new Workload { Uid = "w" })),
            ("default/echo", WdsEncoder.Address(new Service { Namespace = "default", Hostname = "echo" })));
        Assert.NotNull(_state.Current.FindService(new NamespacedHostname("default", "echo")));
        var removal = new DeltaDiscoveryResponse { RemovedResources = { "w", "default/echo", "unknown", "a/b/c" } };
        Assert.Empty(new WdsAddressHandler(_state).Apply(removal).Rejections);
        Assert.Null(_state.Current.FindWorkloadByUid("w"));
        Assert.Null(_state.Current.FindService(new NamespacedHostname("default", "echo")));
    }

    [Fact]
    public void Policies_AreKeptByTheNameOfTheResource()
    {
        var policy = new Istio.Security.Authorization { Name = "p", Namespace = "default" };
        var response = new DeltaDiscoveryResponse();
        response.Resources.Add(new Resource { Name = "default/p", Resource_ = new Any { Value = policy.ToByteString() } });
        Assert.Empty(new WdsAuthorizationHandler(_state).Apply(response).Rejections);
        Assert.Equal("p", _state.Current.FindPolicy("default/p")?.Name);
        new WdsAuthorizationHandler(_state).Apply(new DeltaDiscoveryResponse { RemovedResources = { "default/p" } });
        Assert.Null(_state.Current.FindPolicy("default/p"));
    }

    private Mesh.Xds.Client.XdsApplyResult Addresses(params (string Name, Proto.Address Address)[] resources)
    {
        var response = new DeltaDiscoveryResponse { TypeUrl = XdsTypeUrls.Address };
        foreach (var (name, address) in resources)
            response.Resources.Add(new Resource { Name = name, Resource_ = new Any { Value = address.ToByteString() } });
        return new WdsAddressHandler(_state).Apply(response);
    }
}
