using Mesh.Runtime;

namespace Mesh.Waypoint;

/// <summary>Composition root: the only file that names concrete types of every folder.</summary>
internal static class WaypointHost
{
    public static Task<int> RunAsync(WaypointSettings settings, EnvironmentSettings environment)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(environment);
        return Task.FromResult(ExitCodes.Ok);
    }
}
