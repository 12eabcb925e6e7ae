using Mesh.Meshctl.Control;
using Mesh.Meshctl.Documents;

namespace Mesh.Meshctl.Tests.Documents;

public sealed class ConfigFolderTests : IDisposable
{
    private readonly string _path = Directory.CreateTempSubdirectory("meshctl-config-").FullName;

    public void Dispose() => Directory.Delete(_path, recursive: true);

    [Fact]
    public void Stage_OfAChange_ShowsTheFolderWithItAndLeavesTheFolderAsItWas()
    {
        var folder = new ConfigFolder(_path);
        folder.Commit(folder.Prepare(Documents("kind: A\nmetadata:\n  name: x\nspec: 1\n")));
        var before = Content(_path);
        var stage = Directory.CreateTempSubdirectory("meshctl-stage-").FullName;
        folder.Stage(folder.Prepare(Documents("kind: A\nmetadata:\n  name: x\nspec: 2\n---\nkind: B\nmetadata:\n  name: y\n")), stage);
        Assert.Equal(before, Content(_path));
        Assert.Contains("spec: 2", Content(stage), StringComparison.Ordinal);
        Assert.Equal(2, Directory.GetFiles(stage).Length);
        Directory.Delete(stage, recursive: true);
    }

    [Fact]
    public void ToPerson_ProblemInAStoredFile_NamesTheFileThatWasApplied()
    {
        var folder = new ConfigFolder(_path);
        folder.Commit(folder.Prepare(DocumentReader.Read([new SourceFile("mine/policy.yaml", "kind: A\nmetadata:\n  name: x\n")]).Documents));
        var problem = folder.ToPerson(new DocumentProblem(Path.Combine(_path, "a.default.x.yaml"), 3, "A", "error", "why", "how"));
        Assert.Equal("mine/policy.yaml", problem.File);
        Assert.Equal(3, problem.Line);
    }

    [Fact]
    public void ToPerson_BelowTheLineThatWasPutIn_CountsAsThePersonDoes()
    {
        var folder = new ConfigFolder(_path);
        var prepared = Assert.Single(folder.Prepare(Documents("kind: Service\nmetadata:\n  name: x\nspec:\n  ports:\n    - port: 80\n")));
        Assert.Equal("  clusterIP: 198.19.0.1", prepared.Text.Split('\n')[4]);
        Assert.Equal(6, prepared.ToPerson(new DocumentProblem("service.default.x.yaml", 7, "S", "error", "why", "how")).Line);
        Assert.Equal(3, prepared.ToPerson(new DocumentProblem("service.default.x.yaml", 3, "S", "error", "why", "how")).Line);
    }

    [Fact]
    public void Remove_OfWhatIsNotThere_SaysSo()
    {
        var folder = new ConfigFolder(_path);
        var document = Documents("kind: A\nmetadata:\n  name: x\n").Single();
        Assert.False(folder.Remove(document));
        folder.Commit(folder.Prepare([document]));
        Assert.True(folder.Remove(document));
        Assert.Empty(Directory.EnumerateFiles(_path));
    }

    private static List<MeshDocument> Documents(string text) => DocumentReader.Read([new SourceFile("a.yaml", text)]).Documents;

    private static string Content(string path) => string.Join("|", Directory.EnumerateFiles(path).Order(StringComparer.Ordinal).Select(f => Path.GetFileName(f) + "=" + File.ReadAllText(f)));
}
