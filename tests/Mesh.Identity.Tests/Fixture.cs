using System.Text.Json;

namespace Mesh.Identity.Tests;

/// <summary>What was recorded from a Rust ztunnel.</summary>
internal static class Fixture
{
    public static JsonElement Read(string name)
    {
        using var stream = typeof(Fixture).Assembly.GetManifestResourceStream(name) ?? throw new InvalidOperationException($"{name} is not embedded");
        return JsonDocument.Parse(stream).RootElement;
    }
}
