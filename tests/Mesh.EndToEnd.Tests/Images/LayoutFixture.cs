using Mesh.EndToEnd.Tests.Harness;
using Mesh.EndToEnd.Tests.StandIn;
using Mesh.Testing;

namespace Mesh.EndToEnd.Tests.Images;

/// <summary>The images as layouts, each made once for all that look at it: publishing takes most of the time.</summary>
public sealed class LayoutFixture : IDisposable
{
    public const string Name = "image layout";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(280);

    private readonly string _folder = Directory.CreateTempSubdirectory("mesh-image-").FullName;
    private readonly Dictionary<string, Task<string>> _layouts = new(StringComparer.Ordinal);
    private Task<ImageStore>? _unpacked;

    public Task<string> OfTheAgentAsync() => OfAsync("ztunnel");

    /// <summary>The tests of this collection run one after the other.</summary>
    public Task<string> OfAsync(string component)
    {
        if (!_layouts.TryGetValue(component, out var layout))
            _layouts[component] = layout = MakeAsync(component);
        return layout;
    }

    /// <summary>All of them as containers see them.</summary>
    internal Task<ImageStore> UnpackedAsync() => _unpacked ??= ImageStore.UnpackAsync(this, Path.Combine(_folder, "unpacked"));

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private async Task<string> MakeAsync(string component)
    {
        var layout = Path.Combine(_folder, component);
        using var building = Command.Start(["bash", Path.Combine(Repository.Root, "deploy", "images", "layout.sh"), component, layout]);
        (await building.EndAsync(Patience)).Expect(0);
        return layout;
    }
}

[CollectionDefinition(LayoutFixture.Name)]
public sealed class LayoutDefinition : ICollectionFixture<LayoutFixture>;
