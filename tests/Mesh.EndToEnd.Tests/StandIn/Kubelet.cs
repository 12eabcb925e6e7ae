using System.Text.Json.Nodes;

using Mesh.Testing.Kubernetes.Storage;

namespace Mesh.EndToEnd.Tests.StandIn;

/// <summary>Runs the pods that are bound to its node, and says in the API how they are.</summary>
internal sealed class Kubelet(StandInCluster cluster, ClusterNode node) : IAsyncDisposable
{
    /// <summary>Keeps the object until its containers have ended.</summary>
    public const string Finalizer = "stand-in/kubelet";

    private static readonly WriteContext Writer = new() { Manager = "kubelet", Subresource = "status" };

    private readonly Dictionary<string, RunningPod> _pods = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Task> _ends = new(StringComparer.Ordinal);

    public StandInCluster Cluster => cluster;

    public ClusterNode Node => node;

    public string Folder { get; } = Path.Combine(cluster.Folder, node.Name);

    public bool HasNoPower { get; private set; }

    public RunningPod? Find(string uid) => _pods.GetValueOrDefault(uid);

    /// <summary>One look: what is new is started, what shall end is ended.</summary>
    public void Look(IReadOnlyList<StoredObject> pods)
    {
        foreach (var pod in pods.Where(p => (string?)p.Body["spec"]!["nodeName"] == node.Name))
        {
            var isEnding = pod.Body["metadata"]!["deletionTimestamp"] is not null;
            if (!_pods.TryGetValue(pod.Uid, out var running))
            {
                // What has ended before this kubelet began is not run again.
                if (!isEnding && (string?)pod.Body["status"]?["phase"] is not ("Succeeded" or "Failed"))
                {
                    _pods[pod.Uid] = running = new RunningPod(this, pod.Body.DeepClone().AsObject());
                    running.Start();
                }
                else if (isEnding)
                {
                    Release(pod.Body);
                }
            }
            else if (isEnding && !_ends.ContainsKey(pod.Uid))
            {
                _ends[pod.Uid] = running.EndAsync();
            }
        }
    }

    public void SetStatus(JsonObject pod, Action<JsonObject> change) => Change(pod, Writer, body =>
    {
        body["status"] ??= new JsonObject();
        change(body["status"]!.AsObject());
    });

    /// <summary>Nothing of it is left on the node.</summary>
    public void Release(JsonObject pod) => Change(pod, Writer with { Subresource = "" }, body => body["metadata"]!.AsObject().Remove("finalizers"));

    public void Tell(JsonObject pod, string reason, string note)
    {
        var metadata = pod["metadata"]!;
        cluster.Server.Store.Put(new JsonObject
        {
            ["apiVersion"] = "events.k8s.io/v1",
            ["kind"] = "Event",
            ["metadata"] = new JsonObject { ["name"] = $"{metadata["name"]}.{reason.ToLowerInvariant()}", ["namespace"] = (string)metadata["namespace"]! },
            ["eventTime"] = cluster.Server.Store.Now,
            ["type"] = "Warning",
            ["reason"] = reason,
            ["action"] = "Starting",
            ["note"] = note,
            ["reportingController"] = "kubelet",
            ["reportingInstance"] = node.Name,
            ["regarding"] = new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Pod", ["name"] = (string)metadata["name"]!, ["namespace"] = (string)metadata["namespace"]!, ["uid"] = (string)metadata["uid"]! },
        });
    }

    /// <summary>The node loses its power.</summary>
    public async ValueTask DisposeAsync()
    {
        HasNoPower = true;
        await node.DisposeAsync();
        await Task.WhenAll(_ends.Values.Select(e => e.ContinueWith(static _ => { }, TaskScheduler.Default)));
        await Task.WhenAll(_pods.Values.Select(p => p.EndAsync(isPowerLoss: true)));
        await Task.WhenAll(_pods.Values.SelectMany(p => p.Containers).Select(c => c.Ended));
    }

    private void Change(JsonObject pod, WriteContext writer, Action<JsonObject> change)
    {
        var metadata = pod["metadata"]!;
        var kind = cluster.Server.Store.FindKind("", "v1", "pods")!;
        try
        {
            cluster.Server.Store.Update(kind, (string)metadata["namespace"]!, (string)metadata["name"]!, body =>
            {
                if ((string)body["metadata"]!["uid"]! == (string)metadata["uid"]!)
                    change(body);
                return body;
            }, writer);
        }
        catch (ApiError)
        {
            // It is gone.
        }
    }
}
