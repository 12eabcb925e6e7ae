using System.Text.Json.Nodes;
using Mesh.Testing.Kubernetes.Storage;

namespace Mesh.IstiodLite.Tests.OnKubernetes;

/// <summary>Gateways of class istio-waypoint: what is made for them, repaired, reported and removed.</summary>
public sealed class WaypointTests
{
    [Fact]
    public async Task Gateway_BecomesAccountDeploymentAndService_WithItsLabels_AndAStatusThatBindsServices()
    {
        await using var rig = await ClusterRig.StartAsync();
        rig.Service("pay", """{"istio.io/use-waypoint":"wp"}""");
        rig.Put(Gateway("wp", """,{"labels":{"team":"a"},"annotations":{"note":"b"} }"""));
        await rig.ControlPlaneAsync();

        var deployment = await rig.ObjectAsync("apps", "deployments", "shop", "wp", _ => true);
        var account = await rig.ObjectAsync("", "serviceaccounts", "shop", "wp", _ => true);
        var service = await rig.ObjectAsync("", "services", "shop", "wp", _ => true);
        foreach (var made in (JsonObject[])[deployment, account, service])
        {
            Assert.Equal("istio.io-mesh-controller", (string?)made["metadata"]!["labels"]!["gateway.istio.io/managed"]);
            Assert.Equal("a", (string?)made["metadata"]!["labels"]!["team"]);
            Assert.Equal("b", (string?)made["metadata"]!["annotations"]!["note"]);
            Assert.Equal("Gateway", (string?)made["metadata"]!["ownerReferences"]![0]!["kind"]);
            Assert.Contains(made["metadata"]!["managedFields"]!.AsArray(), m => (string?)m!["manager"] == "istio.io/gateway-controller" && (string?)m["operation"] == "Apply");
        }
        var pod = deployment["spec"]!["template"]!;
        Assert.Equal("none", (string?)pod["metadata"]!["labels"]!["istio.io/dataplane-mode"]);
        Assert.Equal("wp", (string?)pod["metadata"]!["labels"]!["gateway.networking.k8s.io/gateway-name"]);
        Assert.Equal("wp", (string?)pod["spec"]!["serviceAccountName"]);
        // Nothing in it can speak with the API server: no token but the one for the control plane, and no role for its account.
        Assert.False((bool)pod["spec"]!["automountServiceAccountToken"]!);
        Assert.Equal(["istio-ca"], pod["spec"]!["volumes"]!.AsArray().SelectMany(v => v!["projected"]?["sources"] as JsonArray ?? []).Select(s => (string?)s!["serviceAccountToken"]?["audience"]).OfType<string>());
        Assert.Empty(rig.Server.Authorization.Grants(Testing.Kubernetes.Access.RoleCoverage.ServiceAccount("shop", "wp")));
        Assert.Equal(["status-port", "mesh"], service["spec"]!["ports"]!.AsArray().Select(p => (string)p!["name"]!));
        Assert.Equal("istio.io/mesh-controller", (string?)(await rig.ObjectAsync("gateway.networking.k8s.io", "gatewayclasses", "", "istio-waypoint", _ => true))["spec"]!["controllerName"]);

        // Bound at once, so that nobody goes around it; programmed when an instance can take traffic.
        await rig.ObjectAsync("gateway.networking.k8s.io", "gateways", "shop", "wp", g => Condition(g, "Programmed") == "False");
        rig.Put("""
            {"apiVersion":"v1","kind":"Pod","metadata":{"name":"wp-1","namespace":"shop","labels":{"gateway.networking.k8s.io/gateway-name":"wp"} },"spec":{"nodeName":"node-1","serviceAccountName":"wp"},
             "status":{"phase":"Running","podIP":"10.1.0.9","podIPs":[{"ip":"10.1.0.9"}],"conditions":[{"type":"Ready","status":"True"}]} }
            """);
        var gateway = await rig.ObjectAsync("gateway.networking.k8s.io", "gateways", "shop", "wp", g => Condition(g, "Programmed") == "True");
        Assert.Contains(gateway["status"]!["addresses"]!.AsArray(), a => (string?)a!["value"] == "wp.shop.svc.cluster.local");
        Assert.Equal("mesh", (string?)gateway["status"]!["listeners"]![0]!["name"]);
        Assert.Equal("5", (string?)gateway["metadata"]!["annotations"]!["gateway.istio.io/controller-version"]);
        await rig.ObjectAsync("", "services", "shop", "pay", s => Condition(s, "istio.io/WaypointBound") == "True");
    }

    /// <summary>In any namespace, those with the restricted pod security standard included.</summary>
    [Fact]
    public async Task Pod_OfAWaypoint_IsHeldAsFarAsItsWorkAllows_AndAsksForWhatWasMeasured()
    {
        await using var rig = await ClusterRig.StartAsync();
        rig.Put(Gateway("wp"));
        await rig.ControlPlaneAsync();
        var pod = (await rig.ObjectAsync("apps", "deployments", "shop", "wp", _ => true))["spec"]!["template"]!["spec"]!;
        foreach (var shared in (string[])["hostNetwork", "hostPID", "hostIPC", "securityContext"])
            Assert.Null(pod[shared]);
        Assert.DoesNotContain(pod["volumes"]!.AsArray(), v => v!["hostPath"] is not null);
        var container = Assert.Single(pod["containers"]!.AsArray())!;
        var held = container["securityContext"]!;
        Assert.Equal("RuntimeDefault", (string?)held["seccompProfile"]!["type"]);
        Assert.True((bool?)held["readOnlyRootFilesystem"] is true && (bool?)held["runAsNonRoot"] is true);
        Assert.True((bool?)held["privileged"] is false && (bool?)held["allowPrivilegeEscalation"] is false);
        Assert.Equal("""{"drop":["ALL"]}""", held["capabilities"]!.ToJsonString());

        var measured = File.ReadAllLines(Path.Combine(Testing.Repository.Root, "docs", "kubernetes.md")).Single(l => l.StartsWith("| waypoint, each instance |", StringComparison.Ordinal));
        var busy = int.Parse(System.Text.RegularExpressions.Regex.Match(measured, "([0-9]+) MB with 64 busy").Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture);
        var asked = (string)container["resources"]!["requests"]!["memory"]!;
        Assert.EndsWith("Mi", asked, StringComparison.Ordinal);
        Assert.True(int.Parse(asked[..^2], System.Globalization.CultureInfo.InvariantCulture) * 1.048576 >= busy, $"{asked} for {busy} MB");
        Assert.NotNull(container["resources"]!["requests"]!["cpu"]);
    }

    [Fact]
    public async Task Page_NamesEveryWaypoint_AndWhyOneIsNotReady()
    {
        await using var rig = await ClusterRig.StartAsync();
        rig.Put(Gateway("wp"));
        rig.Put(Gateway("odd").Replace("15008", "8080", StringComparison.Ordinal));
        rig.Put(Gateway("ingress").Replace("istio-waypoint", "other", StringComparison.Ordinal));
        var host = await rig.ControlPlaneAsync();
        var page = await PageAsync(p => ((string?)p["shop/wp"]?["reason"])?.Contains("no instances found for hostname", StringComparison.Ordinal) is true);
        Assert.Equal(["shop/odd", "shop/wp"], page.Select(w => w.Key));
        Assert.Contains("ListenersNotValid: Invalid listeners: mesh", (string)page["shop/odd"]!["reason"]!, StringComparison.Ordinal);
        Assert.False((bool)page["shop/wp"]!["ready"]!);
        rig.Put("""
            {"apiVersion":"v1","kind":"Pod","metadata":{"name":"wp-1","namespace":"shop","labels":{"gateway.networking.k8s.io/gateway-name":"wp"} },"spec":{"nodeName":"node-1","serviceAccountName":"wp"},
             "status":{"phase":"Running","podIP":"10.1.0.9","podIPs":[{"ip":"10.1.0.9"}],"conditions":[{"type":"Ready","status":"True"}]} }
            """);
        page = await PageAsync(p => (bool)p["shop/wp"]!["ready"]!);
        Assert.Null(page["shop/wp"]!["reason"]);

        Task<JsonObject> PageAsync(Func<JsonObject, bool> wanted) =>
            ClusterRig.UntilAsync(async () => JsonNode.Parse(await rig.GetAsync(host, "/debug/waypoints"))!.AsObject(), wanted, "the page says how far the waypoints are");
    }

    [Fact]
    public async Task ChangedOrDeletedByHand_IsPutRight_AndGoesWithTheGateway()
    {
        await using var rig = await ClusterRig.StartAsync();
        rig.Put(Gateway("wp"));
        await rig.ControlPlaneAsync();
        var made = await rig.ObjectAsync("apps", "deployments", "shop", "wp", _ => true);
        await rig.ObjectAsync("", "services", "shop", "wp", _ => true);
        var account = (string)made["spec"]!["template"]!["spec"]!["serviceAccountName"]!;

        var deployments = rig.Server.Store.FindKind("apps", "v1", "deployments")!;
        rig.Server.Store.Update(deployments, "shop", "wp", d =>
        {
            d["spec"]!["template"]!["spec"]!["serviceAccountName"] = "intruder";
            return d;
        }, new WriteContext { Manager = "somebody" });
        await rig.ObjectAsync("apps", "deployments", "shop", "wp", d => (string?)d["spec"]!["template"]!["spec"]!["serviceAccountName"] == account);
        rig.Delete("", "services", "shop", "wp");
        await rig.ObjectAsync("", "services", "shop", "wp", _ => true);

        rig.Delete("gateway.networking.k8s.io", "gateways", "shop", "wp");
        await ClusterRig.UntilAsync(() => Task.FromResult(rig.Server.Get("apps", "deployments", "shop", "wp")), d => d is null, "the deployment is gone with its Gateway");
        Assert.Null(rig.Server.Get("", "serviceaccounts", "shop", "wp"));
    }

    [Fact]
    public async Task Overlays_ChangeWhatTheySay_AndAskForAutoscalerAndBudget()
    {
        await using var rig = await ClusterRig.StartAsync();
        rig.Put("""
            {"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"options","namespace":"shop"},"data":{
              "deployment":"spec:\n  replicas: 2\n  template:\n    spec:\n      containers:\n      - name: istio-proxy\n        resources:\n          requests: {cpu: 222m}\n",
              "horizontalPodAutoscaler":"spec: {minReplicas: 2, maxReplicas: 5}",
              "podDisruptionBudget":"spec: {minAvailable: 1}"} }
            """);
        rig.Put(Gateway("wp", """,{"parametersRef":{"group":"","kind":"ConfigMap","name":"options"} }"""));
        await rig.ControlPlaneAsync();

        var deployment = await rig.ObjectAsync("apps", "deployments", "shop", "wp", _ => true);
        Assert.Equal(2, (int)deployment["spec"]!["replicas"]!);
        var container = Assert.Single(deployment["spec"]!["template"]!["spec"]!["containers"]!.AsArray())!;
        Assert.Equal("222m", (string?)container["resources"]!["requests"]!["cpu"]);
        Assert.NotNull(container["image"]);
        Assert.Equal(5, (int)(await rig.ObjectAsync("autoscaling", "horizontalpodautoscalers", "shop", "wp", _ => true))["spec"]!["maxReplicas"]!);
        Assert.Equal(1, (int)(await rig.ObjectAsync("policy", "poddisruptionbudgets", "shop", "wp", _ => true))["spec"]!["minAvailable"]!);
    }

    [Fact]
    public async Task ProxyConfig_IsTheContainersEnvironment_AndFollowsItsChange()
    {
        await using var rig = await ClusterRig.StartAsync();
        rig.Put(Gateway("wp"));
        rig.Put(Config(2));
        await rig.ControlPlaneAsync();
        await rig.ObjectAsync("apps", "deployments", "shop", "wp", d => Variable(d, "WORKER_THREADS") == "2" && Variable(d, "COLOUR") == "blue");

        rig.Put(Config(1));
        await rig.ObjectAsync("apps", "deployments", "shop", "wp", d => Variable(d, "WORKER_THREADS") == "1");
        rig.Delete("networking.istio.io", "proxyconfigs", "shop", "run");
        await rig.ObjectAsync("apps", "deployments", "shop", "wp", d => Variable(d, "WORKER_THREADS") is null && Variable(d, "GATEWAY_NAME") == "wp");

        static string Config(int threads) => $$"""
            {"apiVersion":"networking.istio.io/v1beta1","kind":"ProxyConfig","metadata":{"name":"run","namespace":"shop"},
             "spec":{"concurrency":{{threads}},"environmentVariables":{"COLOUR":"blue"} } }
            """;
        static string? Variable(JsonObject deployment, string name) =>
            (string?)deployment["spec"]!["template"]!["spec"]!["containers"]![0]!["env"]!.AsArray().FirstOrDefault(v => (string?)v!["name"] == name)?["value"];
    }

    [Fact]
    public async Task ObjectThatIsNotOurs_IsLeftAlone_AndAnEventSaysSo()
    {
        await using var rig = await ClusterRig.StartAsync();
        rig.Put("""{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"wp","namespace":"shop","labels":{"by":"hand"} } }""");
        rig.Put(Gateway("wp"));
        rig.Put(Gateway("unmanaged", addresses: ""","addresses":[{"type":"Hostname","value":"elsewhere.example.com"}]"""));
        await rig.ControlPlaneAsync();

        await rig.ObjectAsync("apps", "deployments", "shop", "wp", _ => true);
        Assert.Null(rig.Server.Get("", "serviceaccounts", "shop", "wp")!["metadata"]!["labels"]!["gateway.istio.io/managed"]);
        Assert.Null(rig.Server.Get("apps", "deployments", "shop", "unmanaged"));
        var events = rig.Server.Store.FindKind("events.k8s.io", "v1", "events")!;
        await ClusterRig.UntilAsync(() => Task.FromResult(rig.Server.Store.List(events, "shop", Selectors.Parse(events, null, null)).Items), list => list.Any(e =>
            (string?)e.Body["reason"] == "NotManaged" && (string?)e.Body["regarding"]!["name"] == "wp" && ((string?)e.Body["note"])!.Contains("ServiceAccount wp exists", StringComparison.Ordinal)), "an Event tells of the object that is not ours");
    }

    private static string? Condition(JsonObject item, string type) =>
        (string?)(item["status"]?["conditions"] as JsonArray)?.FirstOrDefault(c => (string?)c!["type"] == type)?["status"];

    private static string Gateway(string name, string infrastructure = "", string addresses = "")
    {
        var extra = infrastructure.Length == 0 ? "" : $$""","infrastructure":{{infrastructure[1..]}}""";
        return $$"""
            {"apiVersion":"gateway.networking.k8s.io/v1","kind":"Gateway","metadata":{"name":"{{name}}","namespace":"shop"},
             "spec":{"gatewayClassName":"istio-waypoint","listeners":[{"name":"mesh","port":15008,"protocol":"HBONE"}]{{extra}}{{addresses}} } }
            """;
    }
}
