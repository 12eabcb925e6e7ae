using Google.Protobuf;
using Istio.Workload.Zds;
using Mesh.Ztunnel.Pods;

namespace Mesh.Ztunnel.Tests.Pods;

/// <summary>Datagrams of the node agent, good and bad.</summary>
public sealed class ZdsRequestTests
{
    // As recorded between istio-cni's side and the Rust ztunnel.
    private const string RecordedAdd = "0a2f0a1a4b756265726e657465732f2f506f642f64656661756c742f636c12110a02636c120764656661756c741a02636c";

    private static ZdsRequest Decode(WorkloadRequest message, int descriptors = 0) => ZdsRequest.Decode(message.ToByteArray(), false, descriptors);

    [Fact]
    public void Add_AsRecorded_IsRead()
    {
        var add = Assert.IsType<ZdsRequest.Add>(ZdsRequest.Decode(Convert.FromHexString(RecordedAdd), false, 1));
        Assert.Equal(("Kubernetes//Pod/default/cl", "cl", "default", "cl"), (add.Uid, add.Info.Name, add.Info.Namespace, add.Info.ServiceAccount));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void Add_WithoutExactlyOneDescriptor_IsUnreadable(int descriptors) =>
        Assert.IsType<ZdsRequest.Unreadable>(ZdsRequest.Decode(Convert.FromHexString(RecordedAdd), false, descriptors));

    [Fact]
    public void Add_WithoutInfo_BreaksTheProtocol() =>
        Assert.IsType<ZdsRequest.Violation>(Decode(new WorkloadRequest { Add = new AddWorkload { Uid = "x" } }, 1));

    [Fact]
    public void OtherMessage_WithADescriptor_IsUnreadable() =>
        Assert.IsType<ZdsRequest.Unreadable>(Decode(new WorkloadRequest { Del = new DelWorkload { Uid = "x" } }, 1));

    [Fact]
    public void Messages_WithoutDescriptor_AreRead()
    {
        Assert.Equal(new ZdsRequest.Delete("x"), Decode(new WorkloadRequest { Del = new DelWorkload { Uid = "x" } }));
        Assert.Equal(new ZdsRequest.Keep("x"), Decode(new WorkloadRequest { Keep = new KeepWorkload { Uid = "x" } }));
        Assert.IsType<ZdsRequest.SnapshotSent>(Decode(new WorkloadRequest { SnapshotSent = new SnapshotSent() }));
        Assert.IsType<ZdsRequest.Empty>(Decode(new WorkloadRequest()));
    }

    [Fact]
    public void Garbage_OrATruncatedDatagram_IsUnreadable()
    {
        Assert.IsType<ZdsRequest.Unreadable>(ZdsRequest.Decode([0xFF, 0xFF, 0xFF], false, 0));
        Assert.IsType<ZdsRequest.Unreadable>(ZdsRequest.Decode(Convert.FromHexString(RecordedAdd), true, 1));
    }

    [Fact]
    public void HelloAndAcknowledgement_AreTheRecordedBytes()
    {
        Assert.Equal("0801", Convert.ToHexStringLower(ZdsRequest.Hello()));
        Assert.Equal("0a00", Convert.ToHexStringLower(ZdsRequest.Acknowledge(null)));
    }
}
