using Mesh.Meshctl.Control;
using Mesh.Meshctl.Documents;

namespace Mesh.Meshctl.Tests.Documents;

public sealed class PodDocumentTests
{
    private static readonly PodDocument Example = new()
    {
        Name = "payment-v1",
        Namespace = "shop",
        Uid = "0f7c",
        ServiceAccount = "payment",
        Node = "node-2",
        Address = "198.18.2.10",
        NodeAddress = "198.18.2.1",
        Labels = new Dictionary<string, string>(StringComparer.Ordinal) { ["app"] = "payment", ["beta"] = "true", ["quote"] = "a\"b\\c" },
        Captured = false,
        Ready = false,
    };

    [Fact]
    public void ToYaml_Always_SaysWhatKubernetesWould()
    {
        var pod = Read(Example with { Captured = true, Ready = true });
        Assert.Equal("Pod/shop/payment-v1", pod.Key);
        Assert.Equal("node-2", pod.TextAt("spec", "nodeName"));
        Assert.Equal("payment", pod.TextAt("spec", "serviceAccountName"));
        Assert.Equal("198.18.2.10", pod.TextAt("status", "podIP"));
        Assert.Equal("enabled", pod.TextAt("metadata", "annotations", "ambient.istio.io/redirection"));
    }

    [Fact]
    public void ToYaml_BeforeCapture_HasNoRedirectionAnnotation() =>
        Assert.Null(Read(Example).Find("metadata", "annotations"));

    [Theory]
    [InlineData("beta", "true")]
    [InlineData("quote", "a\"b\\c")]
    public void ToYaml_LabelThatLooksLikeSomethingElse_StaysItsText(string key, string value) =>
        Assert.Equal(value, Read(Example).TextAt("metadata", "labels", key));

    [Theory]
    [InlineData(true, "True")]
    [InlineData(false, "False")]
    public void ToYaml_Readiness_IsACondition(bool ready, string expected) =>
        Assert.Contains($"type: Ready\n      status: \"{expected}\"", (Example with { Ready = ready }).ToYaml(), StringComparison.Ordinal);

    private static MeshDocument Read(PodDocument pod)
    {
        var (documents, problems) = DocumentReader.Read([new SourceFile("pod.yaml", pod.ToYaml())]);
        Assert.Empty(problems);
        return Assert.Single(documents);
    }
}
