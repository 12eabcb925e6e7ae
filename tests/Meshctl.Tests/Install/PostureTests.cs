using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

using Mesh.Meshctl.Commands;
using Mesh.Meshctl.Install;
using Mesh.Meshctl.Install.Charts;
using Mesh.Testing;

namespace Mesh.Meshctl.Tests.Install;

/// <summary>What the mesh's own pods may do on a node, what they ask of it, and how they live through what happens to it.</summary>
public sealed partial class PostureTests
{
    private static readonly Chart Mesh = Chart.Load(Path.Combine(Repository.Root, "deploy", "helm", "mesh"));

    private static readonly string Documentation = File.ReadAllText(Path.Combine(Repository.Root, "docs", "kubernetes.md"));

    [Theory]
    [InlineData("ztunnel.nodeAgent=true")]
    [InlineData("ztunnel.nodeAgent=false")]
    public void Containers_OfTheChart_AreHeldAsFarAsTheirWorkAllows(string word)
    {
        var workloads = Workloads(word);
        Assert.Equal(["istiod", "ztunnel"], workloads.Select(w => w.Name));
        foreach (var workload in workloads)
        {
            var pod = workload.Body["spec"]!["template"]!["spec"]!;
            Assert.Equal("RuntimeDefault", (string?)pod["securityContext"]!["seccompProfile"]!["type"]);
            foreach (var shared in (string[])["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"])
                Assert.Null(pod[shared]);
            foreach (var container in pod["containers"]!.AsArray().Concat(pod["initContainers"] as JsonArray ?? []))
            {
                var held = container!["securityContext"]!;
                Assert.Null(held["seccompProfile"]);
                Assert.True((bool?)held["readOnlyRootFilesystem"]);
                Assert.NotEqual(true, (bool?)held["privileged"]);
                Assert.Equal(["ALL"], held["capabilities"]!["drop"]!.AsArray().Select(c => (string?)c));
                var added = held["capabilities"]!["add"] as JsonArray ?? [];
                // Kubernetes refuses SYS_ADMIN to containers that may not escalate.
                Assert.Equal(added.Any(c => (string?)c == "SYS_ADMIN"), (bool?)held["allowPrivilegeEscalation"]);
                if (added.Count == 0)
                {
                    Assert.True((bool?)(held["runAsNonRoot"] ?? pod["securityContext"]!["runAsNonRoot"]));
                    Assert.NotEqual(0, (long?)(held["runAsUser"] ?? pod["securityContext"]!["runAsUser"]));
                }
            }
        }
    }

    /// <summary>In the manifest for who reads it, and in the documentation for who decides on it; nothing is in either that is not used.</summary>
    [Fact]
    public void Capability_ThatIsAdded_HasItsReason()
    {
        var lines = Workloads("ztunnel.nodeAgent=true").Single(w => w.Name == "ztunnel").Text.Split('\n').Select(l => l.Trim()).ToList();
        var added = lines.Skip(lines.IndexOf("add:") + 1).TakeWhile(l => l.StartsWith('#') || l.StartsWith("- ", StringComparison.Ordinal)).ToList();
        var names = added.Where(l => l.StartsWith("- ", StringComparison.Ordinal)).Select(l => l[2..]).ToList();
        Assert.NotEmpty(names);
        Assert.All(added.Index().Where(l => !l.Item.StartsWith('#')), l => Assert.True(l.Index > 0 && added[l.Index - 1].StartsWith('#'), $"{l.Item} has no reason above it"));
        Assert.Equal(names.Order(StringComparer.Ordinal), AgentsPrivileges().SelectMany(row => Capability().Matches(row)).Select(m => m.Groups[1].Value).Order(StringComparer.Ordinal));

        // With istio-cni the agent looks for no pods and writes no plugin.
        var beside = Workloads("ztunnel.nodeAgent=false").Single(w => w.Name == "ztunnel").Body["spec"]!["template"]!["spec"]!["containers"]![0]!["securityContext"]!["capabilities"]!["add"]!;
        Assert.Equal(["NET_ADMIN", "NET_RAW", "SYS_ADMIN"], beside.AsArray().Select(c => (string)c!));
    }

    [Fact]
    public void Requests_AreNotBelowWhatWasMeasured()
    {
        var (agent, plane) = (Resources("ztunnel"), Resources("istiod"));
        Assert.True(MegaBytes(agent["requests"]!["memory"]) >= Measured("| agent |", @"([0-9]+) MB \(with the runtime\)"));
        Assert.True(MegaBytes(plane["requests"]!["memory"]) >= Measured("| control plane, 10,000 pods", "([0-9]+) MB"));
        Assert.True(MegaBytes(plane["limits"]!["memory"]) >= Measured("| control plane, 100,000 pods", "([0-9]+) MB"));
        Assert.All((JsonNode[])[agent, plane], r => Assert.NotNull(r["requests"]!["cpu"]));
        // Memory of an agent grows with its node's connections: a limit would cut them all at once.
        Assert.Null(agent["limits"]);
    }

    [Fact]
    public void Parts_LiveThroughWhatHappensToNodes()
    {
        var manifest = Manifest.Of(Mesh, [], "istio-system").Objects;
        var (plane, agent) = (Spec("istiod"), Spec("ztunnel"));
        Assert.Equal(2, (long?)plane["replicas"]);
        var budget = manifest.Single(o => o.Kind == "PodDisruptionBudget").Body["spec"]!;
        Assert.Equal(1, (long?)budget["maxUnavailable"]);
        Assert.Equal((string?)plane["template"]!["metadata"]!["labels"]!["app"], (string?)budget["selector"]!["matchLabels"]!["app"]);
        Assert.Equal("kubernetes.io/hostname", (string?)plane["template"]!["spec"]!["affinity"]!["podAntiAffinity"]!["preferredDuringSchedulingIgnoredDuringExecution"]![0]!["podAffinityTerm"]!["topologyKey"]);
        Assert.Equal("system-cluster-critical", (string?)plane["template"]!["spec"]!["priorityClassName"]);

        Assert.Equal("system-node-critical", (string?)agent["template"]!["spec"]!["priorityClassName"]);
        Assert.Equal("""[{"operator":"Exists"}]""", agent["template"]!["spec"]!["tolerations"]!.ToJsonString());
        foreach (var change in (JsonNode[])[plane["strategy"]!["rollingUpdate"]!, agent["updateStrategy"]!["rollingUpdate"]!])
            Assert.Equal((1L, 0L), ((long)change["maxSurge"]!, (long)change["maxUnavailable"]!));
    }

    /// <summary>Every port that somebody outside the pod has to reach, and no other.</summary>
    [Fact]
    public void NetworkPolicies_LetInWhatThePodsServe()
    {
        foreach (var policy in Manifest.Of(Mesh, [], "istio-system").Objects.Where(o => o.Kind == "NetworkPolicy"))
        {
            var container = Spec(policy.Name)["template"]!["spec"]!["containers"]![0]!;
            var served = container["ports"]!.AsArray().Select(p => (long)p!["containerPort"]!).Append((long)container["readinessProbe"]!["httpGet"]!["port"]!);
            var rule = Assert.Single(policy.Body["spec"]!["ingress"]!.AsArray())!;
            Assert.Null(rule["from"]);
            Assert.Equal(served.Distinct().Order(), rule["ports"]!.AsArray().Select(p => (long)p!["port"]!).Order());
            Assert.Equal(policy.Name, (string?)policy.Body["spec"]!["podSelector"]!["matchLabels"]!["app"]);
        }
    }

    [Fact]
    public void Monitors_AreThereWhenTheyAreWanted_AndNamePortsThatAreThere()
    {
        Assert.DoesNotContain(Manifest.Of(Mesh, [], "istio-system").All, o => o.ApiVersion.StartsWith("monitoring.", StringComparison.Ordinal));
        var with = Manifest.Of(Mesh, [ChartOptions.FromWord("serviceMonitor=true")], "istio-system").Objects;
        Assert.Contains((string?)with.Single(o => o.Kind == "PodMonitor").Body["spec"]!["podMetricsEndpoints"]![0]!["port"], Spec("ztunnel")["template"]!["spec"]!["containers"]![0]!["ports"]!.AsArray().Select(p => (string?)p!["name"]));
        Assert.Contains((string?)with.Single(o => o.Kind == "ServiceMonitor").Body["spec"]!["endpoints"]![0]!["port"], with.Single(o => o.Kind == "Service").Body["spec"]!["ports"]!.AsArray().Select(p => (string?)p!["name"]));
    }

    /// <summary>Root only where the pod says so, for each architecture, on a base that cannot change under anybody.</summary>
    [Theory]
    [InlineData("ztunnel", "0:1337")]
    [InlineData("waypoint", "1337:1337")]
    [InlineData("istiod-lite", "1337:1337")]
    public void Image_RunsAsItsPodDoes_OnEachArchitecture(string component, string user)
    {
        var recipe = File.ReadAllLines(Path.Combine(Repository.Root, "deploy", "images", $"{component}.Containerfile"));
        Assert.Equal([$"USER {user}"], recipe.Where(l => l.StartsWith("USER ", StringComparison.Ordinal)));
        Assert.Contains($"COPY artifacts/images/{component}/${{TARGETARCH}}/ /app/", recipe);
        Assert.Contains("FROM ${BASE}", recipe);
    }

    private static List<ManifestObject> Workloads(string word) =>
        [.. Manifest.Of(Mesh, [ChartOptions.FromWord(word)], "istio-system").Objects.Where(o => o.Body["spec"]?["template"]?["spec"]?["containers"] is not null)];

    private static JsonNode Spec(string name) => Workloads("ztunnel.nodeAgent=true").Single(w => w.Name == name).Body["spec"]!;

    private static JsonNode Resources(string name) => Spec(name)["template"]!["spec"]!["containers"]![0]!["resources"]!;

    private static IEnumerable<string> AgentsPrivileges() => Documentation.Split("## What each privilege is for")[1].Split('\n').Where(l => l.StartsWith("| agent |", StringComparison.Ordinal));

    private static double Measured(string row, string figure)
    {
        var line = Documentation.Split("## Sizing")[1].Split('\n').First(l => l.StartsWith(row, StringComparison.Ordinal));
        return double.Parse(Regex.Match(line, figure).Groups[1].Value, CultureInfo.InvariantCulture);
    }

    private static double MegaBytes(JsonNode? quantity)
    {
        var (number, unit) = ((string)quantity!)[^2..] switch { "Mi" => (((string)quantity!)[..^2], 1 << 20), "Gi" => (((string)quantity!)[..^2], 1 << 30), _ => throw new InvalidOperationException($"{quantity}: Mi or Gi are expected") };
        return double.Parse(number, CultureInfo.InvariantCulture) * unit / 1e6;
    }

    [GeneratedRegex("`([A-Z]+_[A-Z_]+)`")]
    private static partial Regex Capability();
}
