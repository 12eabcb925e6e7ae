using Mesh.Meshctl.Local;
using Mesh.Runtime;

namespace Mesh.Meshctl.Tests.Local;

public sealed class ExecutablesTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("meshctl-bin-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void Find_InAClone_TakesEachProgramFromItsOwnBuildFolder()
    {
        foreach (var program in (string[])["ztunnel", "istiod-lite", "waypoint"])
            Put($"{program}/bin/Release/net10.0/{program}");
        var found = Executables.Find(Path.Combine(_root, "meshctl/bin/Release/net10.0/"), configured: null);
        Assert.Equal(Path.Combine(_root, "waypoint/bin/Release/net10.0/waypoint"), found.Waypoint);
    }

    [Fact]
    public void Find_Installed_PrefersTheConfiguredFolder()
    {
        foreach (var program in (string[])["ztunnel", "istiod-lite", "waypoint"])
        {
            Put($"installed/{program}");
            Put($"configured/{program}");
        }

        Assert.Equal(Path.Combine(_root, "configured/ztunnel"), Executables.Find(Path.Combine(_root, "installed"), Path.Combine(_root, "configured")).Ztunnel);
        Assert.Equal(Path.Combine(_root, "installed/ztunnel"), Executables.Find(Path.Combine(_root, "installed"), configured: null).Ztunnel);
    }

    [Fact]
    public void Find_NotBuilt_SaysHowToBuild()
    {
        var failure = Assert.Throws<MeshctlException>(() => Executables.Find(_root, configured: null));
        Assert.Equal(ExitCodes.Unavailable, failure.ExitCode);
        Assert.Contains("dotnet build", failure.Message, StringComparison.Ordinal);
    }

    private void Put(string path)
    {
        var full = Path.Combine(_root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.WriteAllText(full, string.Empty);
    }
}
