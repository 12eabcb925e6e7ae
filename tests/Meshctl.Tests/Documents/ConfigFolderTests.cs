using Mesh.Meshctl.Control;
using Mesh.Meshctl.Documents;

namespace Mesh.Meshctl.Tests.Documents;

public sealed class ConfigFolderTests : IDisposable
{
    private readonly string _path = Directory.CreateTempSubdirectory("meshctl-config-").FullName;

    public void Dispose() => Directory.Delete(_path, recursive: true);

    [Fact]
    public void Apply_ThenUndo_BringsBackExactlyTheVersionBefore()
    {
        var folder = new ConfigFolder(_path);
        folder.Apply(Documents("kind: A\nmetadata:\n  name: x\nspec: 1\n"));
        var before = Content();
        var undo = folder.Apply(Documents("kind: A\nmetadata:\n  name: x\nspec: 2\n---\nkind: B\nmetadata:\n  name: y\n"));
        Assert.NotEqual(before, Content());
        foreach (var step in undo)
            step();
        Assert.Equal(before, Content());
        Assert.Single(folder.Documents);
    }

    [Fact]
    public void ToPerson_ProblemInAStoredFile_NamesTheFileThatWasApplied()
    {
        var folder = new ConfigFolder(_path);
        folder.Apply(DocumentReader.Read([new SourceFile("mine/policy.yaml", "kind: A\nmetadata:\n  name: x\n")]).Documents);
        var problem = folder.ToPerson(new DocumentProblem(Path.Combine(_path, "a.default.x.yaml"), 3, "A", "error", "why", "how"));
        Assert.Equal("mine/policy.yaml", problem.File);
        Assert.Equal(3, problem.Line);
    }

    [Fact]
    public void Remove_OfWhatIsNotThere_SaysSo()
    {
        var folder = new ConfigFolder(_path);
        var document = Documents("kind: A\nmetadata:\n  name: x\n").Single();
        Assert.False(folder.Remove(document));
        folder.Apply([document]);
        Assert.True(folder.Remove(document));
        Assert.Empty(Directory.EnumerateFiles(_path));
    }

    private static List<MeshDocument> Documents(string text) => DocumentReader.Read([new SourceFile("a.yaml", text)]).Documents;

    private string Content() => string.Join("|", Directory.EnumerateFiles(_path).Order(StringComparer.Ordinal).Select(f => Path.GetFileName(f) + "=" + File.ReadAllText(f)));
}
