namespace Mesh.Runtime.Tests;

/// <summary>Files recorded from the Rust ztunnel.</summary>
internal static class Fixture
{
    public static string Read(string name) => File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Fixtures", name));
}
