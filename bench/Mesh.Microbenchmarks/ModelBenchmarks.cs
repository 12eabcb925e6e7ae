using System.Net;
using BenchmarkDotNet.Attributes;
using Mesh.Model;
using Mesh.Model.Collections;
using Mesh.Model.Policy;
using Mesh.Model.Workloads;

namespace Mesh.Microbenchmarks;

/// <summary>A ztunnel's view of the mesh: what one change costs, and what a connection asks of it.</summary>
[MemoryDiagnoser]
public class ModelBenchmarks
{
    private static readonly IPAddress Wanted = IPAddress.Parse("198.19.0.77");

    private MeshSnapshot _mesh = null!;
    private Workload _destination = null!;
    private ConnectionFacts _facts;
    private bool _flip;

    [Params(100, 10_000)]
    public int Workloads { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        var builder = new MeshSnapshotBuilder(MeshSnapshot.Empty());
        for (var i = 0; i < Workloads; i++)
            builder.Upsert(Pod(i));
        for (var i = 0; i < 5; i++)
            builder.UpsertPolicy($"default/p{i}", Policy(i));
        _mesh = builder.ToSnapshot();
        _destination = _mesh.FindWorkload(string.Empty, Wanted) ?? throw new InvalidOperationException("no such workload");
        _facts = new ConnectionFacts
        {
            SourceIdentities = new SourceIdentities(new SpiffeId("cluster.local", "default", "caller-4")),
            SourceAddress = IPAddress.Parse("198.18.0.9"),
            DestinationAddress = Wanted,
            DestinationPort = 8080,
        };
        if (!EvaluatePolicies())
            throw new InvalidOperationException("the last policy allows");
    }

    /// <summary>One workload changes: a new snapshot that shares everything else.</summary>
    [Benchmark]
    public MeshSnapshot ChangeOneWorkload()
    {
        _flip = !_flip;
        var builder = new MeshSnapshotBuilder(_mesh);
        builder.Upsert(Pod(50) with { Status = _flip ? HealthStatus.Unhealthy : HealthStatus.Healthy });
        return builder.ToSnapshot();
    }

    [Benchmark]
    public Workload? FindWorkload() => _mesh.FindWorkload(string.Empty, Wanted);

    /// <summary>Five ALLOW policies of the namespace, of which the last allows.</summary>
    [Benchmark]
    public bool EvaluatePolicies() => PolicyEvaluator.Evaluate(_mesh, _destination, _facts).Allowed;

    private static Workload Pod(int number) => new()
    {
        Uid = $"cluster1//Pod/default/pod-{number}",
        Name = $"pod-{number}",
        Namespace = "default",
        ServiceAccount = "server",
        Addresses = [new IPAddress([198, 19, (byte)(number / 250), (byte)(number % 250)])],
        Protocol = TunnelProtocol.Hbone,
    };

    private static AuthorizationPolicy Policy(int number) => new()
    {
        Name = $"p{number}",
        Namespace = "default",
        Scope = PolicyScope.Namespace,
        Action = PolicyAction.Allow,
        Rules = [new([new([new PolicyMatch { Principals = [StringMatch.Exact($"cluster.local/ns/default/sa/caller-{number}")] }])])],
    };
}
