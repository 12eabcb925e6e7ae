using Mesh.Meshctl.Daemon;

namespace Mesh.Meshctl.Tests.Daemon;

public sealed class WaypointEnvironmentTests
{
    [Fact]
    public void Page_OfTheControlPlane_IsEachWaypointsEnvironment()
    {
        var read = ControlPlane.ReadEnvironments("""{ "default/a": { "environment": { "WORKER_THREADS": "2", "COLOUR": "blue" } }, "shop/b": { "environment": {} } }""");
        Assert.Equal(["COLOUR=blue", "WORKER_THREADS=2"], read["default/a"].Select(v => $"{v.Key}={v.Value}"));
        Assert.Empty(read["shop/b"]);
    }
}
