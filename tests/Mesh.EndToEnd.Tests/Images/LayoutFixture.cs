using Mesh.EndToEnd.Tests.Harness;
using Mesh.Testing;

namespace Mesh.EndToEnd.Tests.Images;

/// <summary>The agent's image as a layout, made once for all that look at it: publishing takes most of the time.</summary>
public sealed class LayoutFixture : IDisposable
{
    public const string Name = "image layout";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(280);

    private readonly string _folder = Directory.CreateTempSubdirectory("mesh-image-").FullName;
    private readonly Lazy<Task<string>> _layout;

    public LayoutFixture() => _layout = new Lazy<Task<string>>(MakeAsync);

    public Task<string> OfTheAgentAsync() => _layout.Value;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private async Task<string> MakeAsync()
    {
        var layout = Path.Combine(_folder, "layout");
        using var building = Command.Start(["bash", Path.Combine(Repository.Root, "deploy", "images", "layout.sh"), "ztunnel", layout]);
        (await building.EndAsync(Patience)).Expect(0);
        return layout;
    }
}

[CollectionDefinition(LayoutFixture.Name)]
public sealed class LayoutDefinition : ICollectionFixture<LayoutFixture>;
