using System.Net;
using Mesh.Model.Workloads;
using Mesh.Ztunnel.Forwarding;
using Mesh.Ztunnel.Outbound;

namespace Mesh.Ztunnel.Tests.Outbound;

/// <summary>Among equals the less loaded of two draws; weights stay weights.</summary>
public sealed class LeastLoadedTests
{
    private const int Draws = 400;
    private static readonly Workload Source = MeshWorld.Hbone("source", "127.0.0.1");

    private static Dictionary<string, int> Choose(WorkloadLoad load, params Workload[] endpoints)
    {
        var mesh = new MeshWorld().With(Source).With(MeshWorld.Service("s", "10.0.0.1", (80, 80))).With(endpoints).Snapshot();
        var random = new Random(1);
        return Enumerable.Range(0, Draws)
            .Select(_ => OutboundRouter.Choose(mesh, "", Source, Source.Addresses[0], new OriginalDestination(IPEndPoint.Parse("10.0.0.1:80")), random, load).Destination!.Name)
            .CountBy(n => n, StringComparer.Ordinal)
            .ToDictionary(StringComparer.Ordinal);
    }

    private static Workload Endpoint(string name, string address, uint capacity = 1) =>
        MeshWorld.Hbone(name, address) with { Services = [MeshWorld.In("ns1/s.ns1.svc.cluster.local", (80, 80))], Capacity = capacity };

    [Fact]
    public void BusyEndpoint_AmongEquals_IsChosenOnlyWhenDrawnTwice()
    {
        var (busy, free) = (Endpoint("busy", "127.0.0.2"), Endpoint("free", "127.0.0.3"));
        var load = new WorkloadLoad();
        load.Add(busy.Uid, 10);

        // A quarter instead of a half.
        Assert.InRange(Choose(load, busy, free)["busy"], Draws / 8, Draws * 3 / 8);
        Assert.InRange(Choose(new WorkloadLoad(), busy, free)["busy"], Draws * 3 / 8, Draws * 5 / 8);
    }

    [Fact]
    public void Capacity_DecidesBeforeLoad()
    {
        var (big, small) = (Endpoint("big", "127.0.0.2", 9), Endpoint("small", "127.0.0.3", 1));
        var load = new WorkloadLoad();
        load.Add(big.Uid, 1000);
        Assert.InRange(Choose(load, big, small)["big"], Draws * 3 / 4, Draws);
    }
}
