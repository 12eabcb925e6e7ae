using System.Diagnostics;
using System.Net;

using Mesh.Meshctl.Control;
using Mesh.Meshctl.Daemon;
using Mesh.Meshctl.Documents;
using Mesh.Meshctl.Topology;

namespace Mesh.Meshctl.Pods;

internal enum PodState
{
    Starting,
    Running,
    Exited,
    Removing,
}

/// <summary>One pod of the local mode: a network namespace with an address, an identity and at most one program that the daemon started.</summary>
/// <remarks>Mutable parts are changed by <see cref="PodRegistry"/> only, one pod at a time (<see cref="Gate"/>).</remarks>
internal sealed class Pod(RunRequest request, int node, IPAddress address, string directory)
{
    public RunRequest Request { get; } = request;

    public int Node { get; } = node;

    public IPAddress Address { get; } = address;

    /// <summary>Holds this pod's hosts and resolv.conf.</summary>
    public string Directory { get; } = directory;

    public string Uid { get; } = Guid.NewGuid().ToString();

    public string Key => KeyOf(Request.Namespace, Request.Name);

    public string NetworkNamespace => $"pod-{Request.Namespace}-{Request.Name}";

    public string NetworkNamespacePath => NetworkBuilder.PathOf(NetworkNamespace);

    public string Hosts => Path.Combine(Directory, "hosts");

    public string Resolver => Path.Combine(Directory, "resolv.conf");

    public required string Log { get; init; }

    public SemaphoreSlim Gate { get; } = new(1, 1);

    public PodState State { get; set; } = PodState.Starting;

    public int? ExitCode { get; set; }

    public bool Captured { get; set; }

    public Process? Program { get; set; }

    public static string KeyOf(string ns, string name) => $"{ns}/{name}";

    public PodDocument ToDocument() => new()
    {
        Name = Request.Name,
        Namespace = Request.Namespace,
        Uid = Uid,
        ServiceAccount = Request.ServiceAccount,
        Node = AddressPlan.NodeName(Node),
        Address = Address.ToString(),
        NodeAddress = AddressPlan.Node(Node).ToString(),
        Labels = Request.Labels,
        Captured = Captured,
        Ready = State == PodState.Running,
    };

    public PodStatus ToStatus() => new(
        Request.Namespace,
        Request.Name,
        AddressPlan.NodeName(Node),
        Address.ToString(),
        $"spiffe://cluster.local/ns/{Request.Namespace}/sa/{Request.ServiceAccount}",
        Request.InMesh ? (Captured ? "captured" : "pending") : "outside",
        State == PodState.Exited ? $"exited ({ExitCode})" : State.ToString().ToLowerInvariant(),
        Request.Labels,
        Log);

    public AgentPod ToAgentPod() => new(Uid, Request.Name, Request.Namespace, Request.ServiceAccount, NetworkNamespacePath);

    public PodReply ToReply() => new(ToStatus(), NetworkNamespacePath, Hosts, Resolver);
}
