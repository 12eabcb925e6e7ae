using System.Net;
using Mesh.Model;
using Mesh.Model.Workloads;
using Mesh.Runtime.Decisions;
using Mesh.Ztunnel.Forwarding;
using Mesh.Ztunnel.Telemetry;

namespace Mesh.Ztunnel.Tests.Telemetry;

/// <summary>The metrics page against that of the Rust ztunnel after the same traffic.</summary>
public sealed class MetricsTests
{
    private static readonly Workload Cl = Pod("cl");
    private static readonly Workload Sv = Pod("sv");
    private static readonly Service Echo = new() { Name = "echo", Namespace = "default", Hostname = "echo.default.svc.cluster.local" };

    private static Workload Pod(string name) => new()
    {
        Uid = name,
        Name = name,
        Namespace = "default",
        ServiceAccount = name,
        CanonicalName = $"{name}-app",
        CanonicalRevision = "v1",
        WorkloadName = $"{name}-deploy",
    };

    private static string[] Lines(string page) => page.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private static string[] Recorded(string name) => Lines(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Fixtures", name)));

    private static ConnectionContext Context(Service? service) => new()
    {
        Source = Cl,
        Destination = Sv,
        Service = service,
        IsMutualTls = true,
        SourceIdentity = Cl.Identity,
        DestinationIdentity = Sv.Identity,
        Hop = IPEndPoint.Parse("198.18.1.21:15008"),
    };

    [Fact]
    public void OneOpenTunnel_HasTheRecordedSeries()
    {
        using var rig = new ReportRig();
        var outbound = rig.Start(true, "198.18.1.11:1", "198.18.1.21:8080");
        outbound.Open(Context(null));
        var inbound = rig.Start(false, "198.18.1.11:2", "198.18.1.21:15008");
        inbound.Open(Context(Echo));
        ReportRig.Move(outbound, 1004, 1081);
        ReportRig.Move(inbound, 1004, 1081);

        var recorded = Recorded("metrics-one-open.txt").Where(l => l.StartsWith("istio_tcp_", StringComparison.Ordinal) && !l.StartsWith("istio_tcp_sockets", StringComparison.Ordinal));
        var ours = Lines(rig.Page()).Where(l => l.StartsWith("istio_tcp_", StringComparison.Ordinal));
        Assert.Equal(recorded.Order(StringComparer.Ordinal), ours.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void HelpAndType_OfEveryFamilyWeShare_AreTheRecordedLines()
    {
        using var rig = new ReportRig();
        var report = rig.Start(true, "198.18.1.11:1", "198.18.1.21:8080");
        report.Open(Context(null));
        ReportRig.Move(report, 1, 1);
        report.Complete(new Failure(Ending.UpstreamRefused, "refused"));
        var metrics = rig.Telemetry.Metrics;
        metrics.SourceSockets.Value.Set(0);
        metrics.XdsMessages.With("x").Increment();
        metrics.XdsBytes.With("x").Increment();
        metrics.XdsTerminations.With("Error").Increment();
        metrics.DnsRequests.With("A", "udp", "a", "b").Increment();
        metrics.DnsUpstreamRequests.With("A", "udp", "a", "b").Increment();
        metrics.DnsUpstreamFailures.With("A", "udp", "a", "b").Increment();
        metrics.DnsUpstreamDuration.With("A", "udp", "a", "b").Observe(0.002);
        var ours = Lines(rig.Page());
        var recorded = Recorded("metrics-after.txt").Where(l => l.StartsWith('#') && (l.Contains(" istio_", StringComparison.Ordinal) || l.Contains(" workload_manager_", StringComparison.Ordinal)));
        Assert.All(recorded, line => Assert.Contains(line, ours));
    }

    [Fact]
    public void Failure_IsOpenedClosedAndFailed_EachOnce()
    {
        using var rig = new ReportRig();
        var report = rig.Start(false, "198.18.1.11:1", "198.18.1.21:15008");
        report.Open(Context(Echo));
        report.Complete(new Failure(Ending.NoPolicyMatched, "none allowed"));
        var lines = Lines(rig.Page());
        Assert.Single(lines, l => l.StartsWith("istio_tcp_connections_opened_total{", StringComparison.Ordinal) && l.Contains("response_flags=\"-\"", StringComparison.Ordinal));
        Assert.Single(lines, l => l.StartsWith("istio_tcp_connections_closed_total{", StringComparison.Ordinal) && l.Contains("response_flags=\"DENY\"", StringComparison.Ordinal));
        Assert.Single(lines, l => l.StartsWith("istio_tcp_connections_failed_total{", StringComparison.Ordinal) && l.Contains("response_flags=\"DENY\"", StringComparison.Ordinal));
    }

    [Fact]
    public void BlockedHbonePort_HasAFlagOfItsOwn()
    {
        using var rig = new ReportRig();
        var report = rig.Start(true, "198.18.1.11:1", "198.18.1.21:8080");
        report.Open(Context(null));
        report.Complete(new Failure(Ending.UpstreamTimeout, "timed out", Failure.NetworkPolicyFlag));
        Assert.Contains("response_flags=\"NETWORK_POLICY\"", rig.Page(), StringComparison.Ordinal);
    }

    [Fact]
    public void Decisions_AreKeptInARing_NewestFirst()
    {
        using var rig = new ReportRig();
        for (var i = 0; i < 40; i++)
            rig.Start(true, $"198.18.1.11:{1000 + i}", "198.18.1.21:8080").Complete(Failure.SelfCall);
        var records = rig.Decisions.Newest().ToList();
        Assert.Equal(16, records.Count);
        Assert.Equal(1039, records[0].Source.Port);
        Assert.Equal(1024, records[^1].Source.Port);
        Assert.Equal(16, rig.Decisions.Find(DecisionQuery.All with { Destination = "198.18.1.21", Ending = "self_call" }).Count());
        Assert.Empty(rig.Decisions.Find(DecisionQuery.All with { Ending = "ok" }));
    }
}
