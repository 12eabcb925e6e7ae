using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

using Mesh.Testing.Kubernetes;
using Mesh.Testing.Kubernetes.Storage;

namespace Mesh.EndToEnd.Tests.StandIn;

/// <summary>
/// As much of the controllers and the scheduler as the mesh's objects need: Deployments and DaemonSets with their rolling updates, nodes for pods, and
/// EndpointSlices.
/// </summary>
internal sealed class Controllers(FakeApiServer server, Func<IReadOnlyList<string>> nodes)
{
    private const string Hash = "pod-template-hash";
    private const string Foreground = "foregroundDeletion";

    private readonly Dictionary<string, string> _slices = new(StringComparer.Ordinal);
    private int _count;

    public void Look()
    {
        foreach (var set in List("apps", "daemonsets"))
            Reconcile(set, [.. nodes()]);
        foreach (var deployment in List("apps", "deployments"))
            Reconcile(deployment, [.. Enumerable.Repeat<string?>(null, (int?)deployment.Body["spec"]!["replicas"] ?? 1)]);
        foreach (var pod in List("", "pods").Where(p => p.Body["spec"]!["nodeName"] is null))
            Bind(pod);
        foreach (var service in List("", "services").Where(s => s.Body["spec"]!["selector"] is JsonObject))
            Publish(service);
    }

    public IReadOnlyList<StoredObject> List(string group, string plural) =>
        server.Store.FindKind(group, "v1", plural) is { } kind ? server.Store.List(kind, null, Selectors.Parse(kind, null, null)).Items : [];

    public static bool IsReady(StoredObject pod) => (pod.Body["status"]?["conditions"] as JsonArray ?? []).Any(c => (string?)c!["type"] == "Ready" && (string?)c["status"] == "True");

    private static bool IsEnding(StoredObject pod) => pod.Body["metadata"]!["deletionTimestamp"] is not null;

    /// <summary>A pod for each place; those of an older template go when the new one there is ready, or first where nothing may be on top (maxSurge 0).</summary>
    private void Reconcile(StoredObject owner, IReadOnlyList<string?> places)
    {
        if (IsEnding(owner))
        {
            End(owner);
            return;
        }
        if (owner.Body["metadata"]!["finalizers"] is null)
            Change(owner, "", body => body["metadata"]!["finalizers"] = new JsonArray(Foreground));
        var template = owner.Body["spec"]!["template"]!;
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(template.ToJsonString())))[..10];
        var pods = PodsOf(owner);
        var current = pods.Where(p => !IsEnding(p) && (string?)p.Body["metadata"]!["labels"]?[Hash] == hash).ToList();
        var old = pods.Where(p => !IsEnding(p)).Except(current).ToList();
        var maySurge = (string?)owner.Body["kind"] != "DaemonSet" || (int?)owner.Body["spec"]!["updateStrategy"]?["rollingUpdate"]?["maxSurge"] is > 0;
        foreach (var group in places.GroupBy(p => p))
        {
            bool Here(StoredObject pod) => group.Key is null || (string?)pod.Body["spec"]!["nodeName"] == group.Key;
            var missing = group.Count() - current.Count(Here);
            if (missing <= 0 && current.Where(Here).All(IsReady))
                old.Where(Here).ToList().ForEach(Delete);
            else if (!maySurge && old.Any(Here))
                old.Where(Here).ToList().ForEach(Delete);
            else if (maySurge || !pods.Any(p => Here(p) && !current.Contains(p)))
                Enumerable.Range(0, Math.Max(0, missing)).ToList().ForEach(_ => Create(owner, template, hash, group.Key));
        }
        current.Skip(places.Count).ToList().ForEach(Delete);
        SetStatus(owner, places.Count, current.Count, current.Count(IsReady));
    }

    private void Create(StoredObject owner, JsonNode template, string hash, string? node)
    {
        var metadata = template["metadata"]?.DeepClone().AsObject() ?? [];
        metadata["name"] = $"{owner.Name}-{(node is null ? $"{hash}-" : string.Empty)}{++_count}";
        metadata["namespace"] = owner.Namespace;
        metadata["labels"] ??= new JsonObject();
        metadata["labels"]![Hash] = hash;
        metadata["finalizers"] = new JsonArray(Kubelet.Finalizer);
        // A Deployment's pods belong to a ReplicaSet; there is none here, so the Deployment stands for it.
        metadata["ownerReferences"] = new JsonArray(new JsonObject
        {
            ["apiVersion"] = "apps/v1",
            ["kind"] = node is null ? "ReplicaSet" : "DaemonSet",
            ["name"] = node is null ? $"{owner.Name}-{hash}" : owner.Name,
            ["uid"] = owner.Uid,
            ["controller"] = true,
        });
        var spec = template["spec"]!.DeepClone().AsObject();
        if (node is not null)
            spec["nodeName"] = node;
        server.Store.Put(new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Pod", ["metadata"] = metadata, ["spec"] = spec });
    }

    private void Delete(StoredObject pod) => server.Store.Delete(server.Store.FindKind("", "v1", "pods")!, pod.Namespace, pod.Name, null, new WriteContext());

    private void SetStatus(StoredObject owner, int wanted, int updated, int ready)
    {
        var status = new JsonObject { ["observedGeneration"] = (long)owner.Body["metadata"]!["generation"]! };
        foreach (var (name, value) in ((string, int)[])
            [("replicas", updated), ("updatedReplicas", updated), ("readyReplicas", ready), ("availableReplicas", ready), ("desiredNumberScheduled", wanted), ("updatedNumberScheduled", updated), ("numberAvailable", ready), ("numberReady", ready)])
            status[name] = value;
        if (JsonNode.DeepEquals(owner.Body["status"], status))
            return;
        Change(owner, "status", body => body["status"] = status);
    }

    /// <summary>As propagationPolicy Foreground: the owner goes when its pods have ended.</summary>
    private void End(StoredObject owner)
    {
        var pods = PodsOf(owner);
        pods.Where(p => !IsEnding(p)).ToList().ForEach(Delete);
        if (pods.Count == 0)
            Change(owner, "", body => body["metadata"]!.AsObject().Remove("finalizers"));
    }

    private void Change(StoredObject owner, string subresource, Action<JsonObject> change) => server.Store.Update(server.Store.KindOf(owner.Body), owner.Namespace, owner.Name, body =>
    {
        change(body);
        return body;
    }, new WriteContext { Manager = "controllers", Subresource = subresource });

    private List<StoredObject> PodsOf(StoredObject owner) =>
        [.. List("", "pods").Where(p => p.Namespace == owner.Namespace && (p.Body["metadata"]!["ownerReferences"] as JsonArray ?? []).Any(r => (string?)r!["uid"] == owner.Uid))];

    /// <summary>To the node that has the fewest of its namespace, so that pairs are apart.</summary>
    private void Bind(StoredObject pod)
    {
        var loads = List("", "pods").Where(p => p.Namespace == pod.Namespace).CountBy(p => (string?)p.Body["spec"]!["nodeName"] ?? "").ToDictionary(p => p.Key, p => p.Value, StringComparer.Ordinal);
        var body = pod.Body.DeepClone().AsObject();
        body["spec"]!["nodeName"] = nodes().MinBy(n => loads.GetValueOrDefault(n));
        if (body["metadata"]!["finalizers"] is null)
            body["metadata"]!["finalizers"] = new JsonArray(Kubelet.Finalizer);
        server.Store.Put(body);
    }

    private void Publish(StoredObject service)
    {
        var selector = service.Body["spec"]!["selector"]!.AsObject();
        var pods = List("", "pods").Where(p => p.Namespace == service.Namespace && (string?)p.Body["status"]?["podIP"] is not null && selector.All(l => (string?)p.Body["metadata"]!["labels"]?[l.Key] == (string?)l.Value)).ToList();
        var slice = new JsonObject
        {
            ["apiVersion"] = "discovery.k8s.io/v1",
            ["kind"] = "EndpointSlice",
            ["metadata"] = new JsonObject { ["name"] = $"{service.Name}-1", ["namespace"] = service.Namespace, ["labels"] = new JsonObject { ["kubernetes.io/service-name"] = service.Name } },
            ["addressType"] = "IPv4",
            ["endpoints"] = new JsonArray([.. pods.Select(Endpoint)]),
            ["ports"] = new JsonArray([.. service.Body["spec"]!["ports"]!.AsArray().Select(p => (JsonNode)new JsonObject { ["name"] = (string?)p!["name"] ?? "", ["port"] = (int)p["targetPort"]!, ["protocol"] = "TCP" })]),
        };
        var (key, text) = ($"{service.Namespace}/{service.Name}", slice.ToJsonString());
        if (_slices.GetValueOrDefault(key) == text)
            return;
        _slices[key] = text;
        server.Store.Put(slice);
    }

    private static JsonNode Endpoint(StoredObject pod) => new JsonObject
    {
        ["addresses"] = new JsonArray((string)pod.Body["status"]!["podIP"]!),
        ["conditions"] = new JsonObject { ["ready"] = IsReady(pod) && !IsEnding(pod) },
        ["nodeName"] = (string?)pod.Body["spec"]!["nodeName"],
        ["targetRef"] = new JsonObject { ["kind"] = "Pod", ["name"] = pod.Name, ["namespace"] = pod.Namespace, ["uid"] = pod.Uid },
    };
}
