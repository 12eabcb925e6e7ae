using System.Text.Json.Nodes;

using Mesh.Kubernetes;
using Mesh.Kubernetes.Requests;

namespace Mesh.Meshctl.Install;

/// <summary>Everything that can be known about a cluster before anything is changed in it.</summary>
internal sealed class Preflight(KubeClient client, string home)
{
    // CEL-free CRDs, ValidatingWebhookConfiguration v1 and projected tokens are older; 1.27 is the oldest version that still gets fixes somewhere.
    private const int OldestMinor = 27;

    // Transparent sockets, connection marks and nftables in network namespaces, as the capture rules need them.
    private static readonly Version OldestKernel = new(5, 4);

    public async Task<IReadOnlyList<CheckResult>> RunAsync(CancellationToken cancel) =>
    [
        await VersionAsync(cancel),
        await PermissionsAsync(cancel),
        await GatewayApiAsync(cancel),
        .. await NodesAsync(cancel),
        .. await OtherMeshesAsync(cancel),
        await LabelsAsync(cancel),
        .. await NetworkPoliciesAsync(cancel),
    ];

    private async Task<CheckResult> VersionAsync(CancellationToken cancel)
    {
        var version = await client.GetAsync("/version", InstallJson.Default.JsonObject, cancel);
        var text = (string?)version["gitVersion"] ?? "unknown";
        var minor = new string([.. ((string?)version["minor"] ?? "0").TakeWhile(char.IsAsciiDigit)]);
        return int.TryParse(minor, System.Globalization.CultureInfo.InvariantCulture, out var number) && number >= OldestMinor
            ? CheckResult.Pass("Kubernetes", text)
            : new CheckResult("Kubernetes", CheckOutcome.Failed, text, $"upgrade the cluster to 1.{OldestMinor} or later");
    }

    private async Task<CheckResult> PermissionsAsync(CancellationToken cancel)
    {
        var answers = await Task.WhenAll(NeededRights.All.Select(async right => (Right: right, IsAllowed: await MayAsync(right, cancel))));
        var missing = answers.Where(a => !a.IsAllowed).GroupBy(a => a.Right.Type.Name, a => a.Right.Verb, StringComparer.Ordinal).Select(g => $"{string.Join(", ", g)} {g.Key}").ToList();
        return missing.Count == 0
            ? CheckResult.Pass("permissions", "all that an installation needs")
            : new CheckResult("permissions", CheckOutcome.Failed, $"you may not {string.Join("; ", missing)}", "use the credentials of a cluster administrator: --kubeconfig FILE --context NAME");
    }

    private async Task<bool> MayAsync(NeededRight right, CancellationToken cancel)
    {
        var answer = await client.CreateAsync(
            new ResourceType("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", Namespaced: false),
            null,
            new JsonObject
            {
                ["apiVersion"] = "authorization.k8s.io/v1",
                ["kind"] = "SelfSubjectAccessReview",
                ["spec"] = new JsonObject { ["resourceAttributes"] = new JsonObject { ["group"] = right.Type.Group, ["resource"] = right.Type.Plural, ["verb"] = right.Verb } },
            },
            InstallJson.Default.JsonObject,
            cancel);
        return answer["status"]?["allowed"]?.GetValue<bool>() is true;
    }

    private async Task<CheckResult> GatewayApiAsync(CancellationToken cancel) =>
        await client.FindAsync(new ResourceChoice("gateway.networking.k8s.io", "gateways", "Gateway", true, ["v1"]), cancel) is not null
            ? CheckResult.Pass("Gateway API", "installed")
            : new CheckResult("Gateway API", CheckOutcome.Failed, "not installed", Remedies.GatewayApi);

    private async Task<IEnumerable<CheckResult>> NodesAsync(CancellationToken cancel)
    {
        var nodes = (await ItemsAsync(ResourceTypes.Nodes, cancel)).ToList();
        if (nodes.Count == 0)
            return [new CheckResult("nodes", CheckOutcome.Failed, "the cluster has none", "add a Linux node: agents and control plane run on nodes")];
        List<CheckResult> results = [];
        var linux = nodes.Where(n => (string?)n["status"]?["nodeInfo"]?["operatingSystem"] is null or "linux").ToList();
        if (linux.Count < nodes.Count)
            results.Add(new CheckResult("nodes", CheckOutcome.Warning, $"{nodes.Count - linux.Count} nodes do not run Linux", "their pods stay outside the mesh; keep namespaces of the mesh off them with a nodeSelector"));
        var old = linux.Where(n => Kernel(n) is { } kernel && kernel < OldestKernel).Select(Name).ToList();
        results.Add(old.Count == 0
            ? CheckResult.Pass("kernel", $"{OldestKernel} or later on {linux.Count} nodes")
            : new CheckResult("kernel", CheckOutcome.Failed, $"older than {OldestKernel} on {Listed(old)}", "upgrade these nodes, or keep the agent off them with ztunnel.nodeSelector"));
        return results;
    }

    private async Task<IEnumerable<CheckResult>> OtherMeshesAsync(CancellationToken cancel)
    {
        var sets = (await ItemsAsync(ResourceTypes.DaemonSets, cancel)).ToList();
        List<CheckResult> results = [];
        foreach (var set in sets)
        {
            var (ns, name, isOurs) = ((string?)set["metadata"]?["namespace"], Name(set), (string?)set["metadata"]?["labels"]?["app.kubernetes.io/part-of"] == "mesh");
            if (name == "istio-cni-node")
                results.Add(new CheckResult("istio-cni", CheckOutcome.Warning, $"runs in {ns}: it writes the capture rules and hands pods over", "keep it and install with --set ztunnel.nodeAgent=false, or remove it first; two agents must not write rules into the same pods"));
            else if (name == "ztunnel" && !isOurs && ns == home)
                results.Add(new CheckResult("Istio ambient", CheckOutcome.Warning, $"DaemonSet {ns}/ztunnel is Istio's and would be taken over", "follow docs/kubernetes.md, 'Move from Istio ambient', which replaces one part at a time"));
            else if (name == "ztunnel" && ns != home)
                results.Add(new CheckResult("second mesh", CheckOutcome.Failed, $"an agent runs in {ns}", $"install into the same namespace (-n {ns}), or remove that one first: two agents on a node capture the same pods"));
            else if (name is "linkerd-cni" or "kuma-cni" or "consul-cni")
                results.Add(new CheckResult("second mesh", CheckOutcome.Warning, $"{ns}/{name} is there", "pods that it captures must not be in namespaces of this mesh"));
        }

        var cni = sets.Select(Name).FirstOrDefault(n => n is "cilium" or "calico-node" or "kube-flannel-ds" or "canal" or "weave-net" or "aws-node" or "kindnet" or "antrea-agent");
        results.Add(cni switch
        {
            null => CheckResult.Pass("pod network", "not recognised; any that chains CNI plugins works"),
            "cilium" => new CheckResult("pod network", CheckOutcome.Warning, "cilium", "set cni.exclusive=false and socketLB.hostNamespaceOnly=true in Cilium: otherwise it removes our plugin, and connections to Services are changed before they can be captured"),
            _ => CheckResult.Pass("pod network", cni),
        });
        return results;
    }

    /// <summary>A label that is nearly right does nothing, silently.</summary>
    private async Task<CheckResult> LabelsAsync(CancellationToken cancel)
    {
        List<string> wrong = [];
        var enrolled = 0;
        foreach (var ns in await ItemsAsync(ResourceTypes.Namespaces, cancel))
        {
            foreach (var (key, value) in ns["metadata"]?["labels"] as JsonObject ?? [])
            {
                if (LabelSpelling.Check(key, (string?)value ?? string.Empty) is { } problem)
                    wrong.Add($"namespace {Name(ns)}: {problem}");
                if (key == LabelSpelling.DataplaneMode && (string?)value == "ambient")
                    enrolled++;
            }
        }

        return wrong.Count == 0
            ? CheckResult.Pass("labels", $"{enrolled} namespaces opted in")
            : new CheckResult("labels", CheckOutcome.Warning, string.Join("; ", wrong), "correct them with kubectl label --overwrite");
    }

    private async Task<IEnumerable<CheckResult>> NetworkPoliciesAsync(CancellationToken cancel)
    {
        var blocked = TunnelPolicies.Find(await ItemsAsync(ResourceTypes.NetworkPolicies, cancel), await ItemsAsync(ResourceTypes.Namespaces, cancel));
        return blocked.Count == 0
            ? [CheckResult.Pass("network policies", "none keeps pods of the mesh from each other by accident")]
            : blocked.Select(b => new CheckResult("network policies", CheckOutcome.Warning, $"{b.Policy} {b.Found}", b.Remedy));
    }

    private async Task<IEnumerable<JsonNode>> ItemsAsync(ResourceType type, CancellationToken cancel) =>
        ((await client.GetAsync(type.CollectionPath(null), InstallJson.Default.JsonObject, cancel))["items"] as JsonArray ?? []).OfType<JsonNode>();

    private static string Name(JsonNode item) => (string?)item["metadata"]?["name"] ?? string.Empty;

    private static Version? Kernel(JsonNode node)
    {
        var text = (string?)node["status"]?["nodeInfo"]?["kernelVersion"] ?? string.Empty;
        var numbers = text.Split('.', '-');
        return numbers.Length > 1 && int.TryParse(numbers[0], out var major) && int.TryParse(numbers[1], out var minor) ? new Version(major, minor) : null;
    }

    private static string Listed(List<string> names) => names.Count <= 5 ? string.Join(", ", names) : $"{string.Join(", ", names.Take(5))} and {names.Count - 5} more";
}
