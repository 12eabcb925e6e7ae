using System.Text.Json.Nodes;

using Mesh.Meshctl.Commands;
using Mesh.Meshctl.Install;
using Mesh.Meshctl.Install.Charts;
using Mesh.Testing;
using Mesh.Testing.Kubernetes;
using Mesh.Testing.Kubernetes.Schemas;

namespace Mesh.Meshctl.Tests.Install;

/// <summary>Every object of the chart as a real API server with strict field validation would read it: against the recorded discovery, the fields of the kinds, and our own schemas.</summary>
public sealed class StrictManifestTests
{
    private static readonly Chart Mesh = Chart.Load(Path.Combine(Repository.Root, "deploy", "helm", "mesh"));

    private static readonly Dictionary<string, JsonObject> Served = ReadDiscovery();

    public static TheoryData<string> Renderings => new()
    {
        "", "ztunnel.nodeAgent=false", "ztunnel.upgrade=inPlace", "ztunnel.cni.enabled=false", "istiod.webhook.enabled=false", "istiod.meshConfig.accessLogFile=/dev/stdout", "ztunnel.env.A=x", "istiod.env.B=y",
        "image.registry=example.test/mesh", "trustDomain=example.test",
    };

    [Theory]
    [MemberData(nameof(Renderings))]
    public void Objects_OfTheChart_AreReadWithoutAnUnknownField(string word)
    {
        foreach (var item in Manifest.Of(Mesh, word.Length == 0 ? [] : [ChartOptions.FromWord(word)], "istio-system").All)
            Assert.Empty(StrictFields.Check(item.Body));
    }

    [Fact]
    public void Kinds_OfTheChart_AreServedAsTheRecordedClusterServesThem()
    {
        foreach (var item in Manifest.Of(Mesh, [], "istio-system").All)
        {
            Assert.True(Served.TryGetValue($"{item.ApiVersion}/{item.Kind}", out var resource), $"{item.ApiVersion} {item.Kind} is not served");
            Assert.Equal((string?)resource["scope"] == "Namespaced", item.Namespace.Length > 0);
            foreach (var verb in (string[])["create", "patch", "get", "delete"])
                Assert.Contains(verb, resource["verbs"]!.AsArray().Select(v => (string?)v));
            var type = ManifestKinds.Of(item);
            Assert.Equal(((string?)resource["resource"], (string?)resource["scope"] == "Namespaced"), (type.Plural, type.Namespaced));
        }
    }

    /// <summary>Somebody who moves from Istio finds the same names, short names and versions.</summary>
    [Fact]
    public void Definitions_OfIstiosKinds_HaveTheNamesOfTheRecordedOnes()
    {
        var compared = 0;
        foreach (var definition in Definitions().Where(d => !((string)d["spec"]!["group"]!).EndsWith(".mesh", StringComparison.Ordinal)))
        {
            var (group, names) = ((string)definition["spec"]!["group"]!, definition["spec"]!["names"]!);
            foreach (var version in definition["spec"]!["versions"]!.AsArray())
            {
                var found = Served[$"{group}/{version!["name"]}/{names["kind"]}"];
                Assert.Equal(((string?)found["resource"], (string?)found["scope"]), ((string?)names["plural"], (string?)definition["spec"]!["scope"]));
                Assert.Equal(Texts(found["shortNames"]), Texts(names["shortNames"]));
                Assert.Equal(found["subresources"] is JsonArray { Count: > 0 }, version["subresources"]?["status"] is not null);
                compared++;
            }
        }

        Assert.True(compared > 20);
    }

    /// <summary>The documents of the demo, as a cluster with our definitions would take them.</summary>
    [Fact]
    public void Documents_OfTheDemo_FitOurSchemas()
    {
        var definitions = Definitions().ToDictionary(d => $"{d["spec"]!["group"]}/{d["spec"]!["names"]!["kind"]}", StringComparer.Ordinal);
        var checkedDocuments = 0;
        foreach (var document in Directory.EnumerateFiles(Repository.Documents, "*.yaml").SelectMany(ManifestFile.Read))
        {
            if (definitions.GetValueOrDefault($"{((string)document["apiVersion"]!).Split('/')[0]}/{document["kind"]}") is not { } definition)
                continue;
            Assert.Empty(StructuralSchema.Check(definition, document));
            checkedDocuments++;
        }

        Assert.True(checkedDocuments >= 4);
    }

    [Theory]
    [InlineData("spec.template.spec.terminationGracePeriodSecond", "5", "unknown field \"terminationGracePeriodSecond\"")]
    [InlineData("spec.template.metadata.annotations.port", "15020", "a string is expected, not 15020")]
    [InlineData("spec.template.spec.containers", "\"none\"", "a Container is expected")]
    [InlineData("spec.minReadySeconds", "{}", "a scalar is expected")]
    public void Mistakes_InAnObject_AreFound(string path, string value, string mistake)
    {
        var body = Manifest.Of(Mesh, [], "istio-system").Objects.Single(o => o.Kind == "DaemonSet").Body.DeepClone().AsObject();
        JsonNode at = body;
        foreach (var step in path.Split('.').SkipLast(1))
            at = at[step]!;
        at[path.Split('.')[^1]] = JsonNode.Parse(value);
        Assert.Contains(mistake, Assert.Single(StrictFields.Check(body)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"apiVersion":"policy.mesh/v1alpha1","kind":"RateLimitPolicy","metadata":{"name":"a"},"sepc":{}}""", "unknown field \"sepc\"")]
    [InlineData("""{"apiVersion":"policy.mesh/v1","kind":"RateLimitPolicy","metadata":{"name":"a"},"spec":{}}""", "v1 of RateLimitPolicy is not served")]
    [InlineData("""{"apiVersion":"policy.mesh/v1alpha1","kind":"RateLimitPolicy","metadata":{"name":"a"},"spec":[]}""", "object is expected")]
    [InlineData("""{"apiVersion":"policy.mesh/v1alpha1","kind":"RateLimitPolicy","metadata":{"name":"a"},"status":{"conditions":[{"status":"True"}]}}""", "type is missing")]
    public void Mistakes_InADocument_AreFound(string document, string mistake)
    {
        var definition = Definitions().Single(d => (string)d["spec"]!["names"]!["kind"]! == "RateLimitPolicy");
        Assert.Contains(mistake, Assert.Single(StructuralSchema.Check(definition, JsonNode.Parse(document)!.AsObject())), StringComparison.Ordinal);
    }

    private static IEnumerable<JsonObject> Definitions() => Manifest.Of(Mesh, [], "istio-system").CustomResources.Select(c => c.Body);

    private static IEnumerable<string?> Texts(JsonNode? list) => (list as JsonArray ?? []).Select(v => (string?)v).Order(StringComparer.Ordinal);

    /// <summary>By apiVersion/kind.</summary>
    private static Dictionary<string, JsonObject> ReadDiscovery()
    {
        var transcript = JsonNode.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Fixtures", "kube", "discovery-aggregated.json")))!;
        var found = new Dictionary<string, JsonObject>(StringComparer.Ordinal);
        foreach (var body in transcript["steps"]!.AsArray().Take(2).Select(s => JsonNode.Parse((string)s!["response"]!["body"]!)!))
        {
            foreach (var group in body["items"]!.AsArray())
            {
                var name = (string?)group!["metadata"]?["name"];
                foreach (var version in group["versions"]!.AsArray())
                {
                    foreach (var resource in version!["resources"]!.AsArray().OfType<JsonObject>())
                        found[$"{(name is null ? string.Empty : name + "/")}{version["version"]}/{resource["responseKind"]!["kind"]}"] = resource;
                }
            }
        }

        return found;
    }
}
