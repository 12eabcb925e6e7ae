using Mesh.Meshctl.Local;
using Mesh.Runtime;

namespace Mesh.Meshctl.Tests.Local;

public sealed class StateDirectoryTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("meshctl-state-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Theory]
    [InlineData(true, "/run/user/7", "/run/meshctl")]
    [InlineData(false, "/run/user/7", "/run/user/7/meshctl")]
    [InlineData(false, null, "/tmp/meshctl-ann")]
    [InlineData(false, "", "/tmp/meshctl-ann")]
    public void DefaultRoot_PerUser_IsTheirOwn(bool root, string? runtime, string expected) =>
        Assert.Equal(expected, StateDirectory.DefaultRoot(root, runtime, "ann"));

    [Theory]
    [InlineData("")]
    [InlineData("..")]
    [InlineData("a/b")]
    [InlineData("A")]
    [InlineData("-a")]
    public void Of_NameThatIsNoName_IsRefused(string name) =>
        Assert.Equal(ExitCodes.Usage, Assert.Throws<MeshctlException>(() => StateDirectory.Of(name, _root)).ExitCode);

    [Fact]
    public void Of_PathTooLongForASocket_IsRefusedBeforeAnythingIsMade() =>
        Assert.Contains("socket path", Assert.Throws<MeshctlException>(() => StateDirectory.Of("a", "/" + new string('x', 100))).Message, StringComparison.Ordinal);

    [Fact]
    public void IsUp_OnlyWhileTheLockIsHeld()
    {
        var state = StateDirectory.Of("a", _root);
        Assert.False(state.IsUp);
        state.Create();
        Assert.False(state.IsUp);
        using (StateDirectory.TryLock(state.LockFile))
        {
            Assert.True(state.IsUp);
            Assert.Null(StateDirectory.TryLock(state.LockFile));
        }

        Assert.False(state.IsUp);
    }

    [Fact]
    public void Create_RootThatIsAFile_SaysWhatIsInTheWay()
    {
        var file = Path.Combine(_root, "file");
        File.WriteAllText(file, string.Empty);
        var failure = Assert.Throws<MeshctlException>(() => StateDirectory.Of("a", file).Create());
        Assert.Equal(ExitCodes.CannotCreate, failure.ExitCode);
    }

    [Fact]
    public void Remove_OneOfTwo_LeavesTheOther()
    {
        var (a, b) = (StateDirectory.Of("a", _root), StateDirectory.Of("b", _root));
        a.Create();
        b.Create();
        a.Remove();
        Assert.Equal(["b"], StateDirectory.All(_root).Select(s => s.Name));
    }
}
