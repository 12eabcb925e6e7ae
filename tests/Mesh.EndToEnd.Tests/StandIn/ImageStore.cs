using System.Text.Json.Nodes;

using Mesh.EndToEnd.Tests.Harness;
using Mesh.EndToEnd.Tests.Images;

namespace Mesh.EndToEnd.Tests.StandIn;

/// <param name="Root">Folder of the unpacked file system, shared by all containers.</param>
internal sealed record UnpackedImage(string Root, JsonObject Configuration);

/// <summary>The mesh's own images, unpacked, and one of this machine's programs for applications.</summary>
internal sealed class ImageStore
{
    /// <summary>Applications: whatever is installed here.</summary>
    public const string Programs = "programs";

    private readonly Dictionary<string, UnpackedImage> _images = new(StringComparer.Ordinal);

    public static async Task<ImageStore> UnpackAsync(LayoutFixture layouts, string folder)
    {
        Directory.CreateDirectory(folder);
        var store = new ImageStore();
        foreach (var component in (string[])["ztunnel", "istiod-lite", "waypoint"])
        {
            var (layout, bundle) = (await layouts.OfAsync(component), Path.Combine(folder, component));
            var tag = (await Command.RunAsync(["umoci", "list", "--layout", layout])).Expect(0).Output.Trim();
            (await Command.RunAsync(["umoci", "unpack", "--image", $"{layout}:{tag}", bundle])).Expect(0);
            store._images[component] = new UnpackedImage(Path.Combine(bundle, "rootfs"), JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(bundle, "config.json")))!.AsObject());
        }
        store._images[Programs] = OfThisMachine(folder, store._images["ztunnel"].Configuration);
        return store;
    }

    /// <param name="name">registry/component:tag, of which the component counts.</param>
    /// <exception cref="InvalidOperationException">There is no such image.</exception>
    public UnpackedImage Find(string name) =>
        _images.GetValueOrDefault(name.Split('/')[^1].Split(':')[0]) ?? throw new InvalidOperationException($"image {name} cannot be pulled");

    private static UnpackedImage OfThisMachine(string folder, JsonObject like)
    {
        var root = Path.Combine(folder, Programs);
        foreach (var name in (string[])["usr", "etc", "tmp", "proc", "sys", "dev", "run", "var/lib/nginx", "var/log/nginx"])
            Directory.CreateDirectory(Path.Combine(root, name));
        File.SetUnixFileMode(Path.Combine(root, "tmp"), (UnixFileMode)0x3FF);
        foreach (var name in (string[])["bin", "sbin", "lib", "lib64"])
            File.CreateSymbolicLink(Path.Combine(root, name), $"usr/{name}");
        File.WriteAllText(Path.Combine(root, "etc", "passwd"), "root:x:0:0:root:/:/bin/sh\n");
        File.WriteAllText(Path.Combine(root, "etc", "nsswitch.conf"), "hosts: files dns\n");
        var configuration = like.DeepClone().AsObject();
        configuration["mounts"]!.AsArray().Add((JsonNode)new JsonObject { ["destination"] = "/usr", ["type"] = "bind", ["source"] = "/usr", ["options"] = new JsonArray("rbind", "rprivate", "ro") });
        return new UnpackedImage(root, configuration);
    }
}
