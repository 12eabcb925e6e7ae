using Mesh.IstiodLite.Leadership;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Translation;

namespace Mesh.IstiodLite.Tests.Translation;

public sealed class ProxyConfigTests
{
    private static string Config(string name, string ns, string spec, string created = "2026-01-01T00:00:00Z") =>
        $"apiVersion: networking.istio.io/v1beta1\nkind: ProxyConfig\nmetadata: {{ name: {name}, namespace: {ns}, creationTimestamp: \"{created}\" }}\nspec: {spec}\n";

    private static Dictionary<string, string> Variables(Translated translated)
    {
        var gateway = Assert.Single(translated.Resources.Gateways);
        return ProxyConfigs.Variables(ProxyConfigs.For(translated.Resources, translated.Settings, gateway)).ToDictionary(StringComparer.Ordinal);
    }

    private static string Warning(params string[] yaml) => Assert.Single(Documents.Translate(yaml).Problems, p => p.Document.StartsWith("ProxyConfig", StringComparison.Ordinal) && p.Line > 0).Reason;

    [Fact]
    public void Nearer_CountsMore_FieldByField()
    {
        var translated = Documents.Translate(
            Documents.PaymentWaypoint,
            "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: istio, namespace: istio-system }\ndata: { mesh: \"defaultConfig: { concurrency: 9, proxyMetadata: { A: mesh, B: mesh, C: mesh, D: mesh } }\" }\n",
            Config("all", "istio-system", "{ concurrency: 4, environmentVariables: { B: root, C: root, D: root } }"),
            Config("these", "default", "{ environmentVariables: { C: namespace, D: namespace } }"),
            Config("one", "default", "{ selector: { matchLabels: { gateway.networking.k8s.io/gateway-name: payment-waypoint } }, concurrency: 2, environmentVariables: { D: workload } }"),
            Config("other", "default", "{ selector: { matchLabels: { gateway.networking.k8s.io/gateway-name: ghost } }, concurrency: 1 }"),
            Config("elsewhere", "shop", "{ concurrency: 1 }"));
        Assert.Equal(new Dictionary<string, string> { ["A"] = "mesh", ["B"] = "root", ["C"] = "namespace", ["D"] = "workload", ["WORKER_THREADS"] = "2" }, Variables(translated));
    }

    private static string Annotated(string yaml, string place = "metadata") => place == "metadata"
        ? Documents.PaymentWaypoint.Replace("annotations: {", $"annotations: {{ proxy.istio.io/config: '{yaml}',", StringComparison.Ordinal)
        : Documents.PaymentWaypoint.Replace("spec: {", $"spec: {{ infrastructure: {{ annotations: {{ proxy.istio.io/config: '{yaml}' }} }},", StringComparison.Ordinal);

    /// <summary>For one waypoint, and nearer than every document.</summary>
    [Theory]
    [InlineData("metadata")]
    [InlineData("infrastructure")]
    public void Annotation_OfTheGateway_CountsMost(string place) => Assert.Equal(
        new Dictionary<string, string> { ["A"] = "selected", ["B"] = "annotation", ["WORKER_THREADS"] = "7" },
        Variables(Documents.Translate(
            Annotated("{ concurrency: 7, proxyMetadata: { B: annotation } }", place),
            Config("one", "default", "{ selector: { matchLabels: { gateway.networking.k8s.io/gateway-name: payment-waypoint } }, concurrency: 2, environmentVariables: { A: selected, B: selected } }"))));

    [Theory]
    [InlineData("{ concurrency: many }", "has no effect: ", 2)]
    [InlineData("[", "it is no YAML", 2)]
    [InlineData("text", "it holds no fields", 2)]
    [InlineData("{ concurrency: 5, holdApplicationUntilProxyStarts: true }", "holdApplicationUntilProxyStarts in the annotation proxy.istio.io/config has no effect", 5)]
    [InlineData("{ concurrency: 5, proxyMetadata: { TRUST_DOMAIN: evil } }", "the control plane itself gives TRUST_DOMAIN", 5)]
    public void Annotation_ThatMeansNothing_IsWarnedOf(string yaml, string told, int threads)
    {
        var translated = Documents.Translate(Annotated(yaml), Config("c", "default", "{ concurrency: 2 }"));
        var problem = Assert.Single(translated.Problems, p => p.Document.StartsWith("Gateway", StringComparison.Ordinal) && !p.Reason.StartsWith("nothing runs", StringComparison.Ordinal));
        Assert.Equal(ProblemSeverity.Warning, problem.Severity);
        Assert.Contains(told, problem.Reason, StringComparison.Ordinal);
        Assert.Equal(threads.ToString(System.Globalization.CultureInfo.InvariantCulture), Variables(translated)["WORKER_THREADS"]);
        Assert.DoesNotContain("TRUST_DOMAIN", Variables(translated).Keys);
    }

    [Fact]
    public void OldestOfAPlace_Counts() => Assert.Equal("3", Variables(Documents.Translate(
        Documents.PaymentWaypoint,
        Config("a", "default", "{ concurrency: 5 }", "2026-02-02T00:00:00Z"),
        Config("b", "default", "{ concurrency: 3 }", "2026-01-01T00:00:00Z")))["WORKER_THREADS"]);

    [Fact]
    public void Unsaid_AddsNothing() => Assert.Empty(Variables(Documents.Translate(Documents.PaymentWaypoint)));

    [Fact]
    public void ConcurrencyOfZero_IsAThreadPerProcessor_AndSaid() => Assert.Equal("0", Variables(Documents.Translate(Documents.PaymentWaypoint, Config("c", "default", "{ concurrency: 0 }")))["WORKER_THREADS"]);

    [Fact]
    public void VariableOfTheControlPlane_IsNotReplaced_AndAWarningSaysSo()
    {
        string[] documents = [Documents.PaymentWaypoint, Config("c", "default", "{ environmentVariables: { TRUST_DOMAIN: evil, MORE: x } }")];
        Assert.Equal(["MORE"], Variables(Documents.Translate(documents)).Keys);
        Assert.Contains("the control plane itself gives TRUST_DOMAIN", Warning(documents), StringComparison.Ordinal);
    }

    [Fact]
    public void ImageType_IsWarnedOf() =>
        Assert.Contains("the image type debug has no effect", Warning(Documents.PaymentWaypoint, Config("c", "default", "{ image: { imageType: debug } }")), StringComparison.Ordinal);

    [Fact]
    public void ConfigThatReachesNoWaypoint_IsWarnedOf()
    {
        Assert.Contains("no waypoint is in its reach", Warning(Documents.PaymentWaypoint, Config("c", "shop", "{ concurrency: 1 }")), StringComparison.Ordinal);
        Assert.Contains("no waypoint is in its reach", Warning(Documents.PaymentWaypoint, Config("c", "default", "{ selector: { matchLabels: { app: payment } }, concurrency: 1 }")), StringComparison.Ordinal);
    }

    [Fact]
    public void NegativeConcurrency_IsRefused() =>
        Assert.Contains(Documents.Parse(Config("c", "default", "{ concurrency: -1 }")).Problems, p => p.Severity is ProblemSeverity.Error && p.Reason.Contains("concurrency", StringComparison.Ordinal));

    [Fact]
    public void EverythingThatTheContainerIsGiven_IsReserved()
    {
        var gateway = Assert.Single(Documents.Translate(Documents.PaymentWaypoint).Resources.Gateways);
        var container = WaypointContainer.Of(gateway, "payment", new MeshSettings(), new WaypointSettings { DiscoveryAddress = "istiod:15012" }, string.Empty, ProxyRun.Unsaid);
        Assert.All(container["env"]!.AsArray(), v => Assert.Contains((string)v!["name"]!, ProxyConfigs.Reserved));
    }
}
