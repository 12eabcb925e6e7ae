using System.Collections.Concurrent;

using Mesh.Meshctl.Control;
using Mesh.Meshctl.Documents;
using Mesh.Meshctl.Local;
using Mesh.Meshctl.Pods;
using Mesh.Meshctl.Topology;

namespace Mesh.Meshctl.Daemon;

/// <summary>Runs one waypoint pod for each applied Gateway of class istio-waypoint, as the deployment controller does in Kubernetes.</summary>
internal sealed class WaypointRunner(PodRegistry pods, ControlPlane? controlPlane, ComponentSet components, TimeProvider time) : IAsyncDisposable
{
    public const string GatewayNameLabel = "gateway.networking.k8s.io/gateway-name";

    /// <summary>Optional annotation of ours on the Gateway: the node that its waypoint runs on.</summary>
    public const string NodeAnnotation = "mesh.local/node";

    private static readonly TimeSpan ReadyDeadline = TimeSpan.FromSeconds(30);

    private readonly SemaphoreSlim _gate = new(1, 1);
    private readonly ConcurrentDictionary<string, (Pod Pod, SortedDictionary<string, string> Added)> _running = new(StringComparer.Ordinal);

    /// <summary>By the name of their process.</summary>
    public IReadOnlyList<(string Component, Pod Pod)> Running => [.. _running.Values.Select(r => (ComponentName(r.Pod), r.Pod))];

    /// <summary>Makes the running waypoints those that the documents ask for.</summary>
    public async Task ReconcileAsync(IEnumerable<MeshDocument> documents, CancellationToken cancel)
    {
        if (controlPlane is null)
            return;
        await _gate.WaitAsync(cancel);
        try
        {
            var wanted = documents.Where(d => d.Kind == "Gateway" && d.TextAt("spec", "gatewayClassName") == "istio-waypoint").ToDictionary(d => d.Key, StringComparer.Ordinal);
            foreach (var (key, (pod, _)) in _running.Where(r => !wanted.ContainsKey(r.Key)).ToList())
            {
                await components.StopAsync(ComponentName(pod));
                await pods.DeleteAsync(pod);
                _running.TryRemove(key, out _);
            }

            if (wanted.Count == 0)
                return;
            var environments = await controlPlane.TryWaypointEnvironmentsAsync(cancel);
            foreach (var gateway in wanted.Values)
            {
                var added = environments?.GetValueOrDefault($"{gateway.Namespace}/{gateway.Name}");
                if (!_running.TryGetValue(gateway.Key, out var running))
                {
                    added ??= new SortedDictionary<string, string>(StringComparer.Ordinal);
                    _running[gateway.Key] = (await StartAsync(gateway, controlPlane, added, cancel), added);
                }
                else if (added is not null && !added.SequenceEqual(running.Added))
                {
                    // As a Deployment whose template changed; its pod, and so its address, stays.
                    await components.StopAsync(ComponentName(running.Pod));
                    await LaunchAsync(running.Pod, gateway, controlPlane, added, cancel);
                    _running[gateway.Key] = (running.Pod, added);
                }
            }
        }
        finally
        {
            _gate.Release();
        }
    }

    public ValueTask DisposeAsync()
    {
        _gate.Dispose();
        return ValueTask.CompletedTask;
    }

    private static string ComponentName(Pod pod) => $"waypoint-{pod.Request.Namespace}-{pod.Request.Name}";

    private async Task<Pod> StartAsync(MeshDocument gateway, ControlPlane plane, SortedDictionary<string, string> added, CancellationToken cancel)
    {
        var request = new RunRequest
        {
            Name = gateway.Name,
            Namespace = gateway.Namespace,
            ServiceAccount = gateway.Name, // the name that Istio's deployment controller gives it
            Node = gateway.TextAt("metadata", "annotations", NodeAnnotation),
            InMesh = false, // it speaks HBONE itself; capture would only loop
            Labels = new Dictionary<string, string>(StringComparer.Ordinal)
            {
                [GatewayNameLabel] = gateway.Name,
                ["gateway.istio.io/managed"] = "istio.io-mesh-controller",
                ["istio.io/dataplane-mode"] = "none",
                ["service.istio.io/canonical-name"] = gateway.Name,
                ["service.istio.io/canonical-revision"] = "latest",
            },
        };
        return await pods.CreateAsync(request, pod => LaunchAsync(pod, gateway, plane, added, cancel), cancel);
    }

    private async Task LaunchAsync(Pod pod, MeshDocument gateway, ControlPlane plane, SortedDictionary<string, string> added, CancellationToken cancel)
    {
        var environment = ControlPlane.ProxyEnvironment(await plane.TokenAsync("workload", $"{gateway.Namespace}/{pod.Request.ServiceAccount}/{pod.Request.Name}", cancel));
        environment["POD_NAME"] = pod.Request.Name;
        environment["POD_NAMESPACE"] = gateway.Namespace;
        environment["SERVICE_ACCOUNT"] = pod.Request.ServiceAccount;
        environment["INSTANCE_IP"] = pod.Address.ToString();
        environment["GATEWAY_NAME"] = gateway.Name;
        environment["NODE_NAME"] = AddressPlan.NodeName(pod.Node);
        environment["SECRET_TTL"] = plane.CertificateTtl;
        foreach (var (name, value) in added)
            environment[name] = value;

        var component = ComponentName(pod);
        components.Start(new ComponentPlan
        {
            Name = component,
            Where = AddressPlan.NodeName(pod.Node),
            Command = [.. Namespaces.EnterPod(pod.NetworkNamespacePath, pod.Hosts, pod.Resolver, "/"), plane.Programs.Waypoint],
            Environment = environment,
            Log = components.LogOf(component),
        });
        using var http = new HttpClient { BaseAddress = new Uri($"http://{pod.Address}:15021"), Timeout = TimeSpan.FromSeconds(5) };
        await ReadinessProbe.WaitAsync(http, "/healthz/ready", component, components.LogOf(component), ReadyDeadline, time, cancel);
    }
}
