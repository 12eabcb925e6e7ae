using System.Net;
using System.Text.Json;
using Mesh.Model;
using Mesh.Model.Workloads;
using Mesh.Ztunnel.Forwarding;
using Mesh.Ztunnel.Telemetry;

namespace Mesh.Ztunnel.Tests.Telemetry;

/// <summary>Access lines against those that the Rust ztunnel wrote for the same connections.</summary>
public sealed class AccessLogTests
{
    /// <summary>Fields of the recording that no two runs share, and those that are ours.</summary>
    private static readonly string[] Free = ["time", "duration", "ending", "trace_id", "time.decide", "time.connect", "time.first_byte", "time.idle"];

    private static Workload Pod(string name, string ip, TunnelProtocol protocol = TunnelProtocol.Hbone) => new()
    {
        Uid = $"Kubernetes//Pod/default/{name}",
        Name = name,
        Namespace = "default",
        ServiceAccount = name,
        Addresses = [IPAddress.Parse(ip)],
        Protocol = protocol,
        CanonicalName = $"{name}-app",
        CanonicalRevision = "v1",
        WorkloadName = $"{name}-deploy",
    };

    private static readonly Workload Cl = Pod("cl", "198.18.1.11");
    private static readonly Workload Sv = Pod("sv", "198.18.1.21");
    private static readonly Workload Un = Pod("un", "198.18.1.31", TunnelProtocol.Tcp);

    private static readonly Service Echo = new() { Name = "echo", Namespace = "default", Hostname = "echo.default.svc.cluster.local" };

    private static IReadOnlyList<JsonElement> Recorded(string name) =>
        [.. RecordedWorld.Fixture("access.json").EnumerateArray().First(c => c.GetProperty("case").GetString() == name).GetProperty("lines").EnumerateArray()
            .Where(l => l.GetProperty("scope").GetString()!.EndsWith("access", StringComparison.Ordinal))];

    private static List<(string Name, string Value)> Fields(JsonElement line) =>
        [.. line.EnumerateObject().Where(p => !Free.Contains(p.Name, StringComparer.Ordinal)).Select(p => (p.Name, p.Value.ToString()))];

    private static void AssertSame(JsonElement recorded, JsonElement ours) => Assert.Equal(Fields(recorded), Fields(ours));

    private static ConnectionContext Tunnelled(Workload source, Workload destination, Service? service, string hop, string target) => new()
    {
        Source = source,
        Destination = destination,
        Service = service,
        IsMutualTls = true,
        SourceIdentity = source.Identity,
        DestinationIdentity = destination.Identity,
        Hop = IPEndPoint.Parse(hop),
        HboneTarget = target,
    };

    [Fact]
    public void TunnelledConnection_OnBothSides_IsLoggedAsRecorded()
    {
        var recorded = Recorded("hbone_local");
        using var rig = new ReportRig();
        var outbound = rig.Start(true, recorded[0].GetProperty("src.addr").GetString()!, "198.18.1.21:8080");
        outbound.Open(Tunnelled(Cl, Sv, null, "198.18.1.21:15008", "198.18.1.21:8080"));
        var inbound = rig.Start(false, recorded[1].GetProperty("src.addr").GetString()!, "198.18.1.21:15008");
        inbound.Open(Tunnelled(Cl, Sv, Echo, "198.18.1.21:15008", "198.18.1.21:8080"));
        ReportRig.Move(inbound, 4, 81);
        inbound.Complete(TransferResult.Ok);
        ReportRig.Move(outbound, 4, 81);
        outbound.Complete(TransferResult.Ok);

        var lines = rig.Lines();
        Assert.Equal(4, lines.Count);
        for (var i = 0; i < 4; i++)
            AssertSame(recorded[i], lines[i]);
    }

    [Fact]
    public void PlainConnection_ToAKnownPod_NamesNoIdentities()
    {
        var recorded = Recorded("out_plain_known");
        using var rig = new ReportRig();
        var report = rig.Start(true, recorded[0].GetProperty("src.addr").GetString()!, "198.18.1.31:8080");
        report.Open(new ConnectionContext { Source = Cl, Destination = Un, DestinationIdentity = Un.Identity, Hop = IPEndPoint.Parse("198.18.1.31:8080") });
        ReportRig.Move(report, 4, 81);
        report.Complete(TransferResult.Ok);
        AssertSame(recorded[0], rig.Lines()[0]);
        AssertSame(recorded[1], rig.Lines()[1]);
    }

    [Fact]
    public void Refusal_ByPolicy_IsAnErrorLineWithTheReason()
    {
        var recorded = Recorded("rbac_explicit_deny_plaintext");
        using var rig = new ReportRig();
        var report = rig.Start(false, recorded[0].GetProperty("src.addr").GetString()!, "198.18.1.21:8080");
        report.Open(new ConnectionContext { Source = Un, Destination = Sv, DestinationIdentity = Sv.Identity, Service = Echo, Hop = IPEndPoint.Parse("198.18.1.21:8080") });
        report.Complete(new Failure(Ending.DeniedByPolicy, "connection closed due to policy rejection: explicitly denied by: default/deny-8080"));
        AssertSame(recorded[1], rig.Lines()[1]);
        Assert.Equal("denied_by_policy", rig.Lines()[1].GetProperty("ending").GetString());
    }

    [Fact]
    public void EarlyDeny_IsAWarningWithAddressesOnly()
    {
        var recorded = Recorded("connect_ip_mismatch");
        using var rig = new ReportRig();
        var report = rig.Start(false, recorded[0].GetProperty("src.addr").GetString()!, "198.18.1.21:15008");
        report.Complete(new Failure(Ending.BadDestination, "ip mismatch: 198.18.1.21 != 198.18.1.22"));
        AssertSame(recorded[0], Assert.Single(rig.Lines()));
        Assert.DoesNotContain("istio_tcp", rig.Page(), StringComparison.Ordinal);
    }

    [Fact]
    public void ConnectionCutAtTheDrain_SaysSo()
    {
        using var rig = new ReportRig();
        var report = rig.Start(true, "198.18.1.11:1", "198.18.1.21:8080");
        report.Open(Tunnelled(Cl, Sv, null, "198.18.1.21:15008", "198.18.1.21:8080"));
        report.Complete(TransferResult.Cut(Ending.Drained));
        Assert.Equal("connection closed due to connection drain", rig.Lines()[1].GetProperty("error").GetString());
    }

    [Fact]
    public void SecondCompletion_IsNotReported()
    {
        using var rig = new ReportRig();
        var report = rig.Start(true, "198.18.1.11:1", "198.18.1.21:8080");
        report.Complete(Failure.SelfCall);
        report.Complete(TransferResult.Ok);
        Assert.Single(rig.Lines());
    }

    [Fact]
    public void ClientStatedByTheWaypoint_IsNamedBesideThePeer()
    {
        using var rig = new ReportRig();
        var report = rig.Start(false, "198.18.1.42:1", "198.18.1.21:15008");
        var waypoint = Pod("wp", "198.18.1.42");
        report.Open(Tunnelled(waypoint, Sv, Echo, "198.18.1.21:15008", "198.18.1.21:8080") with { ClientIdentity = Cl.Identity });
        report.Complete(TransferResult.Ok);
        var line = rig.Lines()[1];
        Assert.Equal(waypoint.Identity.ToString(), line.GetProperty("src.identity").GetString());
        Assert.Equal(Cl.Identity.ToString(), line.GetProperty("src.client_identity").GetString());
        Assert.Contains($"client_principal=\"{Cl.Identity}\"", rig.Page(), StringComparison.Ordinal);
    }

    [Fact]
    public void TextLine_HasAddressesBareAndTextQuoted()
    {
        using var rig = new ReportRig(Mesh.Runtime.Logging.LogFormat.Text);
        var report = rig.Start(true, "198.18.1.11:41000", "198.18.1.21:8080");
        report.Open(Tunnelled(Cl, Sv, null, "198.18.1.21:15008", "198.18.1.21:8080"));
        ReportRig.Move(report, 11, 22);
        report.Complete(TransferResult.Ok);
        Assert.Contains(
            "\taccess\tconnection complete\tsrc.addr=198.18.1.11:41000 src.workload=\"cl\" src.namespace=\"default\" src.identity=\"spiffe://cluster.local/ns/default/sa/cl\" "
            + "src.cluster=\"Kubernetes\" dst.addr=198.18.1.21:15008 dst.hbone_addr=198.18.1.21:8080 dst.workload=\"sv\"",
            rig.Log(),
            StringComparison.Ordinal);
        Assert.Contains("direction=\"outbound\" bytes_sent=11 bytes_recv=22 duration=\"", rig.Log(), StringComparison.Ordinal);
    }
}
