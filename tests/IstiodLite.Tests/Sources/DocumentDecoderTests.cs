using Mesh.IstiodLite.Resources;

namespace Mesh.IstiodLite.Tests.Sources;

public sealed class DocumentDecoderTests
{
    [Fact]
    public void VirtualService_MisspeltField_IsRefusedWithLineAndSuggestion()
    {
        var file = Documents.Parse("""
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata:
              name: x
            spec:
              hosts: [a]
              http:
              - rout:
                - destination: { host: a }
            """);
        var problem = Assert.Single(file.Problems);
        Assert.Equal((8, "VirtualService default/x"), (problem.Line, problem.Document));
        Assert.Contains("unknown field VirtualService.spec.http[0].rout", problem.Reason, StringComparison.Ordinal);
        Assert.Equal("did you mean route?", problem.Fix);
        Assert.Empty(file.Resources);
        Assert.Equal(new ResourceKey("VirtualService", "default", "x"), Assert.Single(file.Refused));
    }

    [Fact]
    public void File_OneBrokenDocument_DoesNotHideTheOthers()
    {
        var file = Documents.Parse("apiVersion: v1\nkind: Namespace\nmetadata: { name: a }\n---\nkind: [\n---\napiVersion: v1\nkind: Namespace\nmetadata: { name: b }\n");
        Assert.Equal(["a", "b"], file.Resources.Select(r => r.Name));
        Assert.InRange(Assert.Single(file.Problems).Line, 5, 6);
        Assert.True(file.HasUnknownDocument);
    }

    [Theory]
    [InlineData("apiVersion: networking.istio.io/v1\nkind: VirtualServise\nmetadata: { name: x }", "did you mean VirtualService")]
    [InlineData("apiVersion: networking.istio.io/v2\nkind: VirtualService\nmetadata: { name: x }", "use networking.istio.io/v1 or")]
    [InlineData("kind: Pod\nmetadata: { name: x }", "every document needs apiVersion")]
    [InlineData("- a\n- b", "write apiVersion")]
    public void Document_UnknownKindOrVersion_IsRefusedWithAFix(string yaml, string fix) =>
        Assert.Contains(fix, Assert.Single(Documents.Parse(yaml).Problems).Fix, StringComparison.Ordinal);

    [Theory]
    [InlineData("networking.istio.io/v1")]
    [InlineData("networking.istio.io/v1beta1")]
    [InlineData("networking.istio.io/v1alpha3")]
    public void Istio_EveryServedVersion_IsAccepted(string version) =>
        Assert.Single(Documents.Parse($"apiVersion: {version}\nkind: DestinationRule\nmetadata: {{ name: x }}\nspec: {{ host: a }}").Resources);

    [Fact]
    public void Neighbours_OfOtherGroups_AreAcceptedAndIgnored()
    {
        var file = Documents.Parse("apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: x }\nspec: { replicas: 2 }\n---\napiVersion: v1\nkind: Secret\nmetadata: { name: y }\n");
        Assert.Empty(file.Problems);
        Assert.Empty(file.Resources);
    }

    [Fact]
    public void List_OfItems_IsUnfolded() =>
        Assert.Equal(2, Documents.Parse("apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Namespace\n  metadata: { name: a }\n- apiVersion: v1\n  kind: Namespace\n  metadata: { name: b }\n").Resources.Count);

    [Fact]
    public void Fields_OfTheWrongType_AreAllReported()
    {
        var file = Documents.Parse("""
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: { name: x }
            spec:
              host: [a]
              trafficPolicy:
                outlierDetection: { consecutive5xxErrors: many, interval: soon, maxEjectionPercent: 101 }
            """);
        Assert.Equal(4, file.Problems.Count(p => p.Severity is ProblemSeverity.Error && !p.Reason.Contains("missing", StringComparison.Ordinal)));
    }

    [Fact]
    public void File_NotUtf8_SaysSo() =>
        Assert.Contains("not UTF-8", Assert.Single(IstiodLite.Sources.Files.ParsedFile.Parse("x.yaml", [0x61, 0xFF, 0xFE]).Problems).Reason, StringComparison.Ordinal);

    [Theory]
    [InlineData("authorization-policy.yaml")]
    [InlineData("destination-rule.yaml")]
    [InlineData("peer-authentication.yaml")]
    [InlineData("virtual-service.yaml")]
    public void Seed_AsWritten_IsAccepted(string name) => Assert.Empty(Documents.Parse(Documents.Seed(name)).Problems);
}
