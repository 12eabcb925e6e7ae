using System.Globalization;

using Mesh.Meshctl.Local;
using Mesh.Meshctl.Pods;
using Mesh.Meshctl.Topology;

namespace Mesh.Meshctl.Daemon;

/// <summary>One node's ztunnel and the socket on which it asks for pods.</summary>
internal sealed class NodeAgent : INodeAgent, IAsyncDisposable
{
    private static readonly TimeSpan ReadyDeadline = TimeSpan.FromSeconds(30);

    private readonly ZdsServer _server;

    private NodeAgent(ZdsServer server) => _server = server;

    public static async Task<NodeAgent> StartAsync(int node, ControlPlane controlPlane, ComponentSet components, TimeProvider time, Action<string> log, CancellationToken cancel)
    {
        var nodeName = AddressPlan.NodeName(node);
        var name = $"ztunnel-{nodeName}";
        var socket = Path.Combine(MeshPaths.Agents, $"{nodeName}.sock");
        var server = await ZdsServer.StartAsync(nodeName, socket, log);
        var environment = ControlPlane.ProxyEnvironment(await controlPlane.TokenAsync("node", nodeName, cancel));
        foreach (var (key, value) in (ReadOnlySpan<(string, string)>)
        [
            ("NODE_NAME", nodeName),
            ("INPOD_UDS", socket),
            ("ZTUNNEL_CAPTURE_RULES", "auto"),
            ("SECRET_TTL", controlPlane.CertificateTtl),
            ("CRL_PATH", MeshPaths.RevocationList),
            // A tunnel from a waypoint lives long and is reported at its end only: in the local mode the beginning is wanted too.
            ("RUST_LOG", "info,access=debug"),
            ("POD_NAME", name),
            ("POD_NAMESPACE", "istio-system"),
            ("SERVICE_ACCOUNT", "ztunnel"),
            ("INSTANCE_IP", AddressPlan.Node(node).ToString()),
            ("CONNECTION_TERMINATION_DEADLINE", "1s"),
        ])
            environment[key] = value;

        components.Start(new ComponentPlan
        {
            Name = name,
            Where = nodeName,
            Command = [.. Namespaces.EnterNetwork(NetworkBuilder.PathOf(nodeName)), controlPlane.Programs.Ztunnel],
            Environment = environment,
            Log = components.LogOf(name),
        });
        using var http = new HttpClient { BaseAddress = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://{AddressPlan.Node(node)}:15021")), Timeout = TimeSpan.FromSeconds(5) };
        await ReadinessProbe.WaitAsync(http, "/healthz/ready", name, components.LogOf(name), ReadyDeadline, time, cancel);
        return new NodeAgent(server);
    }

    public Task<string?> AddAsync(Pod pod, CancellationToken cancel) => _server.AddAsync(pod.ToAgentPod(), cancel);

    public Task DeleteAsync(Pod pod, CancellationToken cancel) => _server.DeleteAsync(pod.Uid, cancel);

    public ValueTask DisposeAsync() => _server.DisposeAsync();
}
