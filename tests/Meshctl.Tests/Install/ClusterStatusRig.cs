using System.Text.Json.Nodes;

using Mesh.Kubernetes.Connection;
using Mesh.Kubernetes.Requests;
using Mesh.Meshctl.Install;
using Mesh.Meshctl.Install.Status;
using Mesh.Testing.Kubernetes;
using Mesh.Testing.Kubernetes.Access;

namespace Mesh.Meshctl.Tests.Install;

/// <summary>A cluster, and a person who may look at it with no more rights than are named.</summary>
public abstract class ClusterStatusRig : IAsyncLifetime
{
    private protected FakeApiServer Server { get; } = new();
    private protected string Kubeconfig { get; } = Path.GetTempFileName();

    public async Task InitializeAsync()
    {
        await Server.StartAsync();
        Server.Store.Put(new JsonObject
        {
            ["apiVersion"] = "rbac.authorization.k8s.io/v1",
            ["kind"] = "ClusterRole",
            ["metadata"] = new JsonObject { ["name"] = "viewer" },
            ["rules"] = new JsonArray([.. NeededRights.Status.Select(r => new JsonObject { ["apiGroups"] = new JsonArray(r.Type.Group), ["resources"] = new JsonArray(r.Type.Plural), ["verbs"] = new JsonArray(r.Verb) })]),
        });
        Server.Put("""{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRoleBinding","metadata":{"name":"viewer"},"roleRef":{"kind":"ClusterRole","name":"viewer"},"subjects":[{"kind":"User","name":"viewer"}]}""");
        Server.Authorization.Enforced = true;
        Server.Tokens.Add("viewer", new ApiUser("viewer", ["system:authenticated"]));
        await File.WriteAllTextAsync(Kubeconfig, Server.KubeConfig("viewer"));
        Server.Put("""{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop","labels":{"istio.io/dataplane-mode":"ambient"}}}""");
    }

    public async Task DisposeAsync()
    {
        await Server.DisposeAsync();
        File.Delete(Kubeconfig);
    }

    private protected async Task<ClusterStatus> ReadAsync()
    {
        using var client = new KubeClient(KubeConfigFile.Load(Kubeconfig, null, TimeProvider.System));
        return await new ClusterStatusReader(client, "istio-system").ReadAsync(CancellationToken.None);
    }

    private protected void PutPod(string ns, string name, string node, string? mark = null, (string Key, string Value)? label = null, bool ready = false) => Server.Store.Put(new JsonObject
    {
        ["apiVersion"] = "v1",
        ["kind"] = "Pod",
        ["metadata"] = new JsonObject
        {
            ["name"] = name,
            ["namespace"] = ns,
            ["labels"] = label is var (key, value) ? new JsonObject { [key] = value } : [],
            ["annotations"] = mark is null ? [] : new JsonObject { ["ambient.istio.io/redirection"] = mark },
        },
        ["spec"] = new JsonObject { ["nodeName"] = node, ["containers"] = new JsonArray() },
        ["status"] = new JsonObject { ["phase"] = "Running", ["conditions"] = new JsonArray(new JsonObject { ["type"] = "Ready", ["status"] = ready ? "True" : "False" }) },
    });

    private protected void PutEvent(string kind, string ns, string name, string reason, string note, string controller = "mesh.io/ztunnel", int count = 1) => Server.Store.Put(new JsonObject
    {
        ["apiVersion"] = "events.k8s.io/v1",
        ["kind"] = "Event",
        ["metadata"] = new JsonObject { ["name"] = $"{name}.1", ["namespace"] = ns.Length == 0 ? "default" : ns },
        ["eventTime"] = "2026-01-01T00:00:00.000000Z",
        ["series"] = count == 1 ? null : new JsonObject { ["count"] = count, ["lastObservedTime"] = "2026-01-01T00:10:00.000000Z" },
        ["reportingController"] = controller,
        ["reportingInstance"] = "n1",
        ["action"] = "Capture",
        ["reason"] = reason,
        ["note"] = note,
        ["type"] = "Warning",
        ["regarding"] = ns.Length == 0 ? new JsonObject { ["kind"] = kind, ["name"] = name } : new JsonObject { ["kind"] = kind, ["namespace"] = ns, ["name"] = name },
    });
}
