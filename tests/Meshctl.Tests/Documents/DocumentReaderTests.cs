using Mesh.Meshctl.Control;
using Mesh.Meshctl.Documents;

namespace Mesh.Meshctl.Tests.Documents;

public sealed class DocumentReaderTests
{
    private const string Two =
        """
        # a comment first
        apiVersion: v1
        kind: Namespace
        metadata:
          name: shop
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: payment, namespace: shop}
        spec:
          ports: [{port: 80}]
        """;

    [Fact]
    public void Read_TwoDocuments_KeepsTheirTextAndLines()
    {
        var (documents, problems) = DocumentReader.Read([new SourceFile("shop.yaml", Two)]);
        Assert.Empty(problems);
        Assert.Equal(["Namespace/cluster/shop", "Service/shop/payment"], documents.Select(d => d.Key));
        Assert.Equal(7, documents[1].FirstLine);
        Assert.Equal("kind: Service", documents[1].TextAtItsLines.Split('\n')[7]);
    }

    [Fact]
    public void Read_WithoutNamespace_MeansDefault()
    {
        var (documents, _) = DocumentReader.Read([new SourceFile("a.yaml", "kind: Service\nmetadata:\n  name: a\n")]);
        Assert.Equal("Service/default/a", Assert.Single(documents).Key);
    }

    [Fact]
    public void Read_SyntaxErrorInTheSecondDocument_NamesFileAndLineAndKeepsTheFirst()
    {
        var (documents, problems) = DocumentReader.Read([new SourceFile("bad.yaml", "kind: Service\nmetadata:\n  name: a\n---\nkind: Service\nmetadata: [\n")]);
        Assert.Single(documents);
        var problem = Assert.Single(problems);
        Assert.Equal("bad.yaml", problem.File);
        Assert.InRange(problem.Line, 6, 7);
        Assert.True(problem.IsError);
    }

    [Theory]
    [InlineData("metadata:\n  name: a\n", "kind is missing")]
    [InlineData("kind: Service\nmetadata: {}\n", "metadata.name is missing or holds '/'")]
    [InlineData("- 1\n- 2\n", "the document is not a mapping")]
    public void Read_IncompleteDocument_IsAProblemWithReason(string text, string reason)
    {
        var (documents, problems) = DocumentReader.Read([new SourceFile("a.yaml", text)]);
        Assert.Empty(documents);
        Assert.Equal(reason, Assert.Single(problems).Reason);
    }

    [Fact]
    public void Read_SameDocumentTwice_NamesBothPlaces()
    {
        const string text = "kind: Service\nmetadata:\n  name: a\n";
        var (_, problems) = DocumentReader.Read([new SourceFile("a.yaml", text), new SourceFile("b.yaml", text)]);
        var problem = Assert.Single(problems);
        Assert.Equal("b.yaml", problem.File);
        Assert.Contains("a.yaml:1", problem.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_OnlyComments_IsNothing()
    {
        var (documents, problems) = DocumentReader.Read([new SourceFile("a.yaml", "# nothing\n---\n\n")]);
        Assert.Empty(documents);
        Assert.Empty(problems);
    }
}
