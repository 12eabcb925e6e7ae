using Mesh.Runtime;

namespace Mesh.Meshctl.Local;

/// <summary>Where the other three programs are: beside meshctl (installed), or in their own build folders (a clone), or where MESH_BIN_DIR says.</summary>
internal sealed record Executables(string Ztunnel, string IstiodLite, string Waypoint)
{
    public static Executables Find() => Find(AppContext.BaseDirectory, Environment.GetEnvironmentVariable("MESH_BIN_DIR"));

    public static string FindIstiodLite() => Locate(AppContext.BaseDirectory, Environment.GetEnvironmentVariable("MESH_BIN_DIR"), "istiod-lite", "istiod-lite");

    public static Executables Find(string own, string? configured) => new(
        Locate(own, configured, "ztunnel", "ztunnel"),
        Locate(own, configured, "istiod-lite", "istiod-lite"),
        Locate(own, configured, "waypoint", "waypoint"));

    private static string Locate(string own, string? configured, string project, string program)
    {
        var candidates = new List<string>();
        if (!string.IsNullOrEmpty(configured))
            candidates.Add(Path.Combine(configured, program));
        candidates.Add(Path.Combine(own, program));

        // meshctl/bin/Release/net10.0/ -> ../../../../ztunnel/bin/Release/net10.0/
        var parts = own.TrimEnd('/').Split('/');
        if (parts.Length > 4 && parts[^3] == "bin")
            candidates.Add(Path.Combine(string.Join('/', parts[..^4]), project, "bin", parts[^2], parts[^1], program));

        return candidates.Find(File.Exists) ?? throw new MeshctlException(
            ExitCodes.Unavailable,
            $"the program {program} was not found (looked at {string.Join(", ", candidates)}): build it with 'dotnet build Mesh.sln -c Release', or point MESH_BIN_DIR at its folder.");
    }
}
