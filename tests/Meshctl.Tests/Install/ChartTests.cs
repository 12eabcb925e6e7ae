using System.Text.Json.Nodes;

using Mesh.Meshctl.Commands;
using Mesh.Meshctl.Install;
using Mesh.Meshctl.Install.Charts;

namespace Mesh.Meshctl.Tests.Install;

public sealed class ChartTests
{
    private static readonly string Root = Testing.Repository.Root;

    private static readonly Chart Mesh = Chart.Load(Path.Combine(Root, "deploy", "helm", "mesh"));

    /// <summary>Regenerate with: meshctl install --dry-run > deploy/kubernetes/mesh.yaml</summary>
    [Fact]
    public void RenderedManifest_InTheRepository_IsWhatTheChartGives() =>
        Assert.Equal(Manifest.Of(Mesh, [], "istio-system").ToYaml(InstallCommand.Headline), File.ReadAllText(Path.Combine(Root, "deploy", "kubernetes", "mesh.yaml")));

    [Fact]
    public void Manifest_ByDefault_ComesInAnOrderThatCanBeApplied()
    {
        var kinds = Manifest.Of(Mesh, [], "istio-system").All.Select(o => o.Kind).ToList();
        Assert.Equal("CustomResourceDefinition", kinds[0]);
        Assert.True(kinds.IndexOf("Namespace") < kinds.IndexOf("ServiceAccount"));
        Assert.True(kinds.IndexOf("ServiceAccount") < kinds.IndexOf("ClusterRoleBinding"));
        Assert.True(kinds.IndexOf("ClusterRoleBinding") < kinds.IndexOf("Deployment"));
        Assert.True(kinds.IndexOf("Deployment") < kinds.IndexOf("DaemonSet"));
        Assert.True(kinds.IndexOf("DaemonSet") < kinds.IndexOf("ValidatingWebhookConfiguration"));
    }

    [Theory]
    [InlineData("ztunnel.nodeAgent=false", "DaemonSet", "ZTUNNEL_POD_SOURCE", "INPOD_UDS")]
    [InlineData("ztunnel.cni.enabled=false", "DaemonSet", "name: ZTUNNEL_CNI_CHAINED\n              value: \"true\"", "name: ZTUNNEL_CNI_CHAINED\n              value: \"false\"")]
    [InlineData("ztunnel.upgrade=inPlace", "DaemonSet", "maxSurge: 1\n      maxUnavailable: 0", "maxSurge: 0\n      maxUnavailable: 1")]
    [InlineData("ztunnel.controlPlane=istiod.elsewhere.svc:15012", "DaemonSet", "istiod.istio-system.svc:15012", "value: istiod.elsewhere.svc:15012")]
    [InlineData("image.registry=example.test/mesh", "Deployment", "image: istiod-lite:", "image: example.test/mesh/istiod-lite:")]
    public void Value_WhenSet_ChangesWhatItShould(string word, string kind, string gone, string there)
    {
        var text = Manifest.Of(Mesh, [Values(word)], "istio-system").Objects.Single(o => o.Kind == kind).Text;
        Assert.DoesNotContain(gone, text, StringComparison.Ordinal);
        Assert.Contains(there, text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("istiod.webhook.enabled=false", "ValidatingWebhookConfiguration")]
    [InlineData("gatewayClasses=false", "GatewayClass")]
    [InlineData("networkPolicies=false", "NetworkPolicy")]
    public void Part_SwitchedOff_IsNotThere(string word, string kind)
    {
        Assert.Contains(Manifest.Of(Mesh, [], "istio-system").All, o => o.Kind == kind);
        Assert.DoesNotContain(Manifest.Of(Mesh, [Values(word)], "istio-system").All, o => o.Kind == kind);
    }

    [Theory]
    [InlineData("ztunel.nodeAgent=true", "ztunel is not a value of this chart; did you mean ztunnel?")]
    [InlineData("istiod.replicas=many", "istiod.replicas is \"many\"; it must be integer")]
    [InlineData("istiod.replicas=0", "istiod.replicas is 0; it must be at least 1")]
    [InlineData("ztunnel.captureRules=ebpf", "it must be one of \"auto\", \"nftables\", \"iptables\"")]
    [InlineData("trustDomain=Not A Domain", "trustDomain is \"Not A Domain\"; it must match")]
    [InlineData("clusterId=", "clusterId is nothing; it must be string")]
    public void Values_ThatTheSchemaRefuses_AreNamedWithTheReason(string word, string reason)
    {
        var refused = Assert.Throws<ChartException>(() => Manifest.Of(Mesh, [Values(word)], "istio-system"));
        Assert.Contains(reason, refused.Message, StringComparison.Ordinal);
    }

    /// <summary>Every key of values.yaml has a place in the schema, and every property of the schema has a value: neither can be forgotten.</summary>
    [Fact]
    public void Schema_AndValues_NameTheSameKeys()
    {
        var folder = Path.Combine(Root, "deploy", "helm", "mesh");
        var values = YamlReader.Map("values.yaml", File.ReadAllText(Path.Combine(folder, "values.yaml")));
        var schema = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "values.schema.json")))!["properties"]!.AsObject();
        Assert.Equal(schema.Select(p => p.Key).Where(k => k != "global").Order(StringComparer.Ordinal), values.Select(p => p.Key).Order(StringComparer.Ordinal));
        foreach (var (key, part) in schema)
        {
            if (part!["properties"] is JsonObject inner && values[key] is JsonObject given)
                Assert.Equal(inner.Select(p => p.Key).Order(StringComparer.Ordinal), given.Select(p => p.Key).Order(StringComparer.Ordinal));
        }
    }

    private static JsonObject Values(string word) => ChartOptions.FromWord(word);
}
