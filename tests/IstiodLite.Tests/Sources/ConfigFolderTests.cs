using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Files;

namespace Mesh.IstiodLite.Tests.Sources;

public sealed class ConfigFolderTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("istiod-lite-test-").FullName;
    private readonly ConfigFolder _folder;

    public ConfigFolderTests() => _folder = new ConfigFolder(_root);

    public void Dispose()
    {
        if (Directory.Exists(_root))
            Directory.Delete(_root, recursive: true);
    }

    [Fact]
    public void Document_RefusedAfterAChange_KeepsItsLastGoodVersion()
    {
        Write("a.yaml", Namespace("a", "one") + Namespace("b", "one"));
        Write("a.yaml", Namespace("a", "two") + Namespace("b", "two").Replace("labels", "lables", StringComparison.Ordinal));
        Assert.Equal(["a=two", "b=one"], Labels());
        Assert.Equal(1, _folder.State().KeptDocuments);
        Assert.Contains("lables", Assert.Single(_folder.State().Problems).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void File_HalfWritten_KeepsEverythingItSaidBefore()
    {
        Write("a.yaml", Namespace("a", "one") + Namespace("b", "one"));
        Write("a.yaml", Namespace("a", "two") + "apiVersion: v1\nkind: Names");
        Assert.Equal(["a=two", "b=one"], Labels());
        Write("a.yaml", Namespace("a", "two"));
        Assert.Equal(["a=two"], Labels());
        Assert.Empty(_folder.State().Problems);
    }

    [Fact]
    public void Folder_Gone_KeepsTheLastGoodStateAndSaysSo()
    {
        Write("a.yaml", Namespace("a", "one"));
        Directory.Delete(_root, recursive: true);
        Assert.True(_folder.ScanAll());
        Assert.Equal(["a=one"], Labels());
        Assert.Contains("is gone", Assert.Single(_folder.State().Problems).Reason, StringComparison.Ordinal);
        Directory.CreateDirectory(_root);
        Assert.True(_folder.ScanAll());
        Assert.Empty(Labels());
    }

    [Fact]
    public void Object_DefinedTwice_FirstFileCountsAndTheOtherIsReported()
    {
        Write("b.yaml", Namespace("a", "two"));
        Write("a.yaml", Namespace("a", "one"));
        Assert.Equal(["a=one"], Labels());
        var problem = Assert.Single(_folder.State().Problems);
        Assert.Equal("b.yaml", problem.File);
        Assert.Contains("already defined at a.yaml:1", problem.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Files_HiddenOrOfEditors_AreNotRead()
    {
        Write(".a.yaml.swp", "x: [");
        Write(".hidden.yaml", "x: [");
        Write("a.yaml~", "x: [");
        Write("..data/b.yaml", "x: [");
        Write("sub/c.yml", Namespace("c", "one"));
        Assert.Equal(["c=one"], Labels());
        Assert.Empty(_folder.State().Problems);
    }

    [Fact]
    public void File_TooLargeDocument_IsBoundedAndReported()
    {
        Write("a.yaml", Namespace("a", "one"));
        Write("big.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: x }\ndata: { k: " + new string('x', 10_000_000) + " }\n");
        Assert.Equal(["a=one"], Labels());
        Assert.Contains("more than the limit", Assert.Single(_folder.State().Problems).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void File_Removed_TakesItsDocumentsAway()
    {
        Write("a.yaml", Namespace("a", "one"));
        File.Delete(Path.Combine(_root, "a.yaml"));
        Assert.True(_folder.ScanAll());
        Assert.Empty(Labels());
    }

    private static string Namespace(string name, string label) => $"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {name}\n  labels: {{ l: {label} }}\n---\n";

    private string[] Labels() => [.. _folder.State().Resources.Namespaces.Select(n => $"{n.Name}={n.Meta.Label("l")}").Order(StringComparer.Ordinal)];

    private void Write(string name, string text)
    {
        var path = Path.Combine(_root, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
        // Two writes within one tick of the file system's clock would look like one version.
        File.SetLastWriteTimeUtc(path, new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc).AddSeconds(++_writes));
        _folder.ScanAll();
    }

    private int _writes;
}
