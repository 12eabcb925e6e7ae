using Mesh.Testing;

namespace Mesh.Net.Tests;

public sealed class ProcessRightsTests
{
    [Fact]
    public void RaiseDescriptorLimit_Twice_ReachesTheHardLimitAndStays()
    {
        var (_, now) = ProcessRights.RaiseDescriptorLimit();
        var (before, again) = ProcessRights.RaiseDescriptorLimit();
        Assert.Equal(now, before);
        Assert.Equal(now, again);
    }

    [RootFact]
    public async Task RestrictTo_AFewCapabilities_HoldsForEveryThreadOfTheSameProcess()
    {
        var (exitCode, output) = await Scenarios.RunAsync("restrict");
        Assert.True(exitCode == 0, output);
        foreach (var line in (string[])["netadmin True", "ptrace False", "threads alike True", "same process True"])
            Assert.Contains(line, output, StringComparison.Ordinal);
    }

    [RootFact]
    public void Unshare_OnAThread_MovesThatThreadOnly()
    {
        using var home = NetworkNamespace.Current();
        var inside = default((ulong, ulong));
        var thread = new Thread(() =>
        {
            ProcessRights.Unshare(NamespaceKinds.Network);
            using var here = NetworkNamespace.Current();
            inside = here.Id;
        });
        thread.Start();
        thread.Join();
        using var still = NetworkNamespace.Current();
        Assert.NotEqual(home.Id, inside);
        Assert.Equal(home.Id, still.Id);
    }
}
