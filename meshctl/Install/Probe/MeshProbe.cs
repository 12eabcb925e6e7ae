using System.Security.Cryptography;
using System.Text.Json.Nodes;

using Mesh.Kubernetes;
using Mesh.Kubernetes.Requests;

namespace Mesh.Meshctl.Install.Probe;

/// <summary>
/// Whether the mesh works, by a pair of pods that speak through it: (1) what an earlier probe left goes  (2) namespace, accounts, policy  (3) the
/// server runs  (4) and is captured  (5) so does the client  (6) the client's verdict. Everything is removed again, whatever came of it.
/// </summary>
internal sealed class MeshProbe(KubeClient client, string home, Action<string> tell)
{
    private const string Name = "probe";
    private const string Mark = "ambient.istio.io/redirection";

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan Cleaning = TimeSpan.FromSeconds(30);

    private sealed class FailedException(string found, string remedy) : Exception(found)
    {
        public string Remedy => remedy;
    }

    /// <summary>Cannot be looked up before there is a mesh.</summary>
    public static string ImageOf(JsonNode agents) => (string?)agents["spec"]?["template"]?["spec"]?["containers"]?[0]?["image"] ?? "IMAGE-OF-THE-AGENT";

    public async Task<CheckResult> RunAsync(TimeSpan patience, CancellationToken cancel)
    {
        if (await FindAsync(ResourceTypes.DaemonSets, home, "ztunnel", cancel) is not { } agents)
            return new CheckResult(Name, CheckOutcome.Failed, $"there is no agent in namespace {home}", $"meshctl install -n {home}, or name the mesh's namespace with -n");
        // (1)
        foreach (var left in await ItemsAsync($"{ResourceTypes.Namespaces.CollectionPath(null)}?labelSelector={Uri.EscapeDataString($"app.kubernetes.io/part-of={ProbeObjects.PartOf}")}", cancel))
            await RemoveAsync((string)left["metadata"]!["name"]!);
        var objects = new ProbeObjects($"mesh-probe-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(3))}", ImageOf(agents));
        using var limit = new CancellationTokenSource(patience, client.Time);
        try
        {
            var verdict = await ProbeAsync(objects, patience, limit.Token, cancel);
            return CheckResult.Pass(Name, verdict);
        }
        catch (FailedException failure)
        {
            return new CheckResult(Name, CheckOutcome.Failed, failure.Message, failure.Remedy);
        }
        finally
        {
            await RemoveAsync(objects.Namespace);
        }
    }

    private async Task<string> ProbeAsync(ProbeObjects objects, TimeSpan patience, CancellationToken limit, CancellationToken cancel)
    {
        // (2)
        foreach (var item in (ManifestObject[])[objects.Home, objects.Account(ProbeObjects.Server), objects.Account(ProbeObjects.Client), objects.Policy, objects.ServerPod])
            await CreateAsync(item, cancel);
        tell($"a probe runs in namespace {objects.Namespace}");

        // (3)
        var server = await UntilAsync(objects, ProbeObjects.Server, IsRunning, "does not start", limit, cancel);
        // (4)
        await UntilAsync(objects, ProbeObjects.Server, IsCaptured, "runs and is not in the mesh", limit, cancel);
        // (5)
        await CreateAsync(objects.ClientPod((string)server["status"]!["podIP"]!, patience / 2), cancel);
        await UntilAsync(objects, ProbeObjects.Client, p => IsRunning(p) || HasEnded(p), "does not start", limit, cancel);
        // (6)
        var ended = await UntilAsync(objects, ProbeObjects.Client, HasEnded, "came to no verdict", limit, cancel);
        var words = Words(ended);
        if ((string?)ended["status"]?["phase"] == "Succeeded")
            return $"{NodeOf(ended)} to {NodeOf(server)}: {words}";
        if (!IsCaptured(ended))
            throw new FailedException($"the client on {NodeOf(ended)} is not in the mesh, and ended with: {words}", await RemedyAsync(objects, ended, cancel));
        throw new FailedException(
            $"from {NodeOf(ended)} to {NodeOf(server)}: {words}",
            $"look at what both agents decided: kubectl -n {home} logs -l app=ztunnel --tail=50, and whether they have what the control plane sends: kubectl -n {home} get pods, meshctl status --cluster -n {home}");
    }

    /// <summary>A pod until it is as it should be; a pod that has ended otherwise is not waited for.</summary>
    private async Task<JsonObject> UntilAsync(ProbeObjects objects, string pod, Func<JsonObject, bool> condition, string otherwise, CancellationToken limit, CancellationToken cancel)
    {
        while (true)
        {
            var found = await FindAsync(ResourceTypes.Pods, objects.Namespace, pod, cancel) ?? throw new FailedException($"somebody deleted pod {objects.Namespace}/{pod}", "run the probe again, and look for what deletes pods: kubectl get events -A");
            if (condition(found))
                return found;
            if (HasEnded(found) || limit.IsCancellationRequested)
                throw new FailedException($"the {pod} {otherwise}{(HasEnded(found) ? $": it ended with: {Words(found)}" : string.Empty)}", await RemedyAsync(objects, found, cancel));
            await Task.Delay(Pause, client.Time, cancel);
        }
    }

    /// <summary>From what the scheduler, the kubelet and our agent say about the pod to what a person does.</summary>
    private async Task<string> RemedyAsync(ProbeObjects objects, JsonObject pod, CancellationToken cancel)
    {
        var node = NodeOf(pod);
        if (Condition(pod, "PodScheduled") is { } unscheduled && (string?)unscheduled["status"] == "False")
            return $"make room for it: {unscheduled["message"]}";
        if ((string?)pod["status"]?["containerStatuses"]?[0]?["state"]?["waiting"]?["reason"] is "ErrImagePull" or "ImagePullBackOff" or "InvalidImageName" or "ErrImageNeverPull")
            return $"node {node} cannot get the agent's image {pod["spec"]!["containers"]![0]!["image"]}: does an agent run there? kubectl -n {home} get pods -l app=ztunnel -o wide";
        var told = (await ItemsAsync(ResourceTypes.Events.CollectionPath(objects.Namespace), cancel)).Where(e => (string?)e["regarding"]?["name"] == (string?)pod["metadata"]!["name"] && (string?)e["type"] == "Warning").ToList();
        if (told.Find(e => (string?)e["reason"] == "FailedCreatePodSandBox") is { } sandbox)
            return $"the network of the pod was not made: {sandbox["note"]}. Look at the agent of node {node}: kubectl -n {home} logs -l app=ztunnel --tail=50";
        if (told.Find(e => (string?)e["reportingController"] == "mesh.io/ztunnel") is { } agent)
            return $"its agent says {agent["reason"]}: {agent["note"]}";
        return $"does an agent run and get ready on node {node}? kubectl -n {home} get pods -l app=ztunnel --field-selector spec.nodeName={node}";
    }

    private async Task CreateAsync(ManifestObject item, CancellationToken cancel)
    {
        var type = ManifestKinds.Of(item);
        await client.CreateAsync(type, type.Namespaced ? item.Namespace : null, item.Body, InstallJson.Default.JsonObject, cancel);
    }

    /// <summary>Also when the probe was interrupted: it must not be the interrupted one that leaves something behind.</summary>
    private async Task RemoveAsync(string ns)
    {
        using var limit = new CancellationTokenSource(Cleaning, client.Time);
        try
        {
            await client.DeleteAsync(ResourceTypes.Namespaces, null, ns, null, limit.Token);
        }
        catch (Exception e) when (e is KubeException or OperationCanceledException)
        {
            tell($"the probe's namespace could not be removed ({e.Message}): kubectl delete namespace {ns}");
        }
    }

    private async Task<JsonObject?> FindAsync(ResourceType type, string ns, string name, CancellationToken cancel) => await client.FindAsync(type, ns, name, InstallJson.Default.JsonObject, cancel);

    private async Task<List<JsonNode>> ItemsAsync(string path, CancellationToken cancel) =>
        [.. ((await client.GetAsync(path, InstallJson.Default.JsonObject, cancel))["items"] as JsonArray ?? []).OfType<JsonNode>()];

    private static JsonNode? Condition(JsonObject pod, string type) => (pod["status"]?["conditions"] as JsonArray ?? []).FirstOrDefault(c => (string?)c!["type"] == type);

    private static bool IsRunning(JsonObject pod) => (string?)pod["status"]?["phase"] == "Running" && (string?)pod["status"]?["podIP"] is { Length: > 0 };

    private static bool IsCaptured(JsonObject pod) => (string?)pod["metadata"]?["annotations"]?[Mark] == "enabled";

    private static bool HasEnded(JsonObject pod) => (string?)pod["status"]?["phase"] is "Succeeded" or "Failed";

    private static string Words(JsonObject pod) => (string?)pod["status"]?["containerStatuses"]?[0]?["state"]?["terminated"]?["message"] ?? (string?)pod["status"]?["message"] ?? "no word";

    private static string NodeOf(JsonObject pod) => (string?)pod["spec"]?["nodeName"] ?? "no node";
}
