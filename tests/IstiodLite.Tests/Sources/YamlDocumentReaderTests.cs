using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Tests.Sources;

public sealed class YamlDocumentReaderTests
{
    [Fact]
    public void Split_SeparatorLines_KeepsLineNumbers()
    {
        var documents = DocumentSplitter.Split("# head\na: 1\n---\n# only a comment\n---\nb: |\n  text\n --- not a separator\n---\r\nc: 3\n").ToList();
        Assert.Equal([1, 5, 9], documents.Select(d => d.FirstLine));
        Assert.Equal("c", ((YamlMapping)YamlDocumentReader.Read(documents[2].Text, documents[2].FirstLine)!).Entries[0].Key.Text);
        Assert.Equal(10, ((YamlMapping)YamlDocumentReader.Read(documents[2].Text, documents[2].FirstLine)!).Entries[0].Key.Line);
    }

    [Theory]
    [InlineData("a: [1, 2", "not valid YAML")]
    [InlineData("a: 1\na: 2", "is there twice")]
    [InlineData("a: *b", "before its anchor")]
    [InlineData("? [1]\n: 2", "must be plain text")]
    public void Read_BrokenDocument_SaysWhatAndWhere(string yaml, string reason)
    {
        var error = Assert.Throws<YamlSyntaxException>(() => YamlDocumentReader.Read(yaml, 7));
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        Assert.InRange(error.Line, 7, 8);
    }

    [Fact]
    public void Read_BillionLaughs_IsRefusedBeforeItExpands()
    {
        var yaml = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + string.Concat(Enumerable.Range(1, 9).Select(i => $"a{i}: &a{i} [*a{i - 1}, *a{i - 1}, *a{i - 1}, *a{i - 1}, *a{i - 1}, *a{i - 1}, *a{i - 1}, *a{i - 1}, *a{i - 1}, *a{i - 1}]\n"));
        Assert.Contains("aliases are expanded", Assert.Throws<YamlSyntaxException>(() => YamlDocumentReader.Read(yaml, 1)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_DeepNesting_IsRefusedWithoutOverflowingTheStack() =>
        Assert.Contains("nested deeper", Assert.Throws<YamlSyntaxException>(() => YamlDocumentReader.Read(new string('[', 5000), 1)).Message, StringComparison.Ordinal);

    [Fact]
    public void Read_HugeDocument_IsRefused() =>
        Assert.Contains("characters", Assert.Throws<YamlSyntaxException>(() => YamlDocumentReader.Read("a: " + new string('x', YamlLimits.MaxDocumentChars), 1)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("5s", 5_000)]
    [InlineData("1h30m", 5_400_000)]
    [InlineData("0.5s", 500)]
    [InlineData("100ms", 100)]
    [InlineData("0", 0)]
    public void Duration_AsGoWritesIt_IsRead(string text, double milliseconds)
    {
        Assert.True(GoDuration.TryParse(text, out var value));
        Assert.Equal(milliseconds, value.TotalMilliseconds);
    }

    [Theory]
    [InlineData("5")]
    [InlineData("5 s")]
    [InlineData("")]
    [InlineData("s")]
    [InlineData("9999999h")]
    public void Duration_Nonsense_IsRefused(string text) => Assert.False(GoDuration.TryParse(text, out _));
}
