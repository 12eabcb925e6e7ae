using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;

using Mesh.EndToEnd.Tests.Harness;
using Mesh.Testing;

namespace Mesh.EndToEnd.Tests.Images;

/// <summary>The image that is made without a container engine, unpacked as an engine would and started.</summary>
[Collection(LayoutFixture.Name)]
public sealed class LayoutTests(LayoutFixture layouts) : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("mesh-image-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [ImageFact]
    public async Task Layout_OfTheAgent_HoldsWhatItSaysAndStarts()
    {
        var layout = await layouts.OfTheAgentAsync();

        var manifest = await ReadAsync(layout, (await JsonAsync(Path.Combine(layout, "index.json"))).GetProperty("manifests")[0]);
        var config = await ReadAsync(layout, manifest.GetProperty("config"));
        Assert.Equal("/app/ztunnel", config.GetProperty("config").GetProperty("Entrypoint")[0].GetString());
        var root = Path.Combine(_folder, "root");
        Directory.CreateDirectory(root);
        foreach (var layer in manifest.GetProperty("layers").EnumerateArray())
            (await Command.RunAsync(["tar", "-xzf", await BlobAsync(layout, layer), "-C", root])).Expect(0);

        // The runtime reads its own memory map: an engine mounts /proc, too.
        var inside = $"mount -t proc proc {root}/proc && chroot {root} /app/ztunnel version && chroot {root} /usr/sbin/nft --version && chroot {root} /usr/sbin/iptables --version && echo '{{}}' | CNI_COMMAND=VERSION chroot {root} /app/cni/mesh-cni";
        var started = (await Command.RunAsync(["unshare", "--mount", "--pid", "--fork", "sh", "-c", inside])).Expect(0).Output;
        Assert.Contains("nftables", started, StringComparison.Ordinal);
        Assert.Contains("iptables", started, StringComparison.Ordinal);
        Assert.Contains("supportedVersions", started, StringComparison.Ordinal);
        Assert.Contains("\"Google.Protobuf\"", await File.ReadAllTextAsync(Path.Combine(root, "app", "sbom.spdx.json")), StringComparison.Ordinal);
    }

    private static async Task<JsonElement> ReadAsync(string layout, JsonElement descriptor) => await JsonAsync(await BlobAsync(layout, descriptor));

    /// <summary>The file of a descriptor, whose size and digest are what the descriptor says.</summary>
    private static async Task<string> BlobAsync(string layout, JsonElement descriptor)
    {
        var digest = descriptor.GetProperty("digest").GetString()!["sha256:".Length..];
        var file = Path.Combine(layout, "blobs", "sha256", digest);
        var bytes = await File.ReadAllBytesAsync(file);
        Assert.Equal(descriptor.GetProperty("size").GetInt64().ToString(CultureInfo.InvariantCulture), bytes.Length.ToString(CultureInfo.InvariantCulture));
        Assert.Equal(digest, Convert.ToHexStringLower(SHA256.HashData(bytes)));
        return file;
    }

    private static async Task<JsonElement> JsonAsync(string file)
    {
        using var document = JsonDocument.Parse(await File.ReadAllTextAsync(file));
        return document.RootElement.Clone();
    }
}

/// <summary>Needs root (a root directory of its own) and the tools that the agent's image carries.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ImageFactAttribute : FactAttribute
{
    public ImageFactAttribute() => Skip = Prerequisites.MissingRoot() ?? Prerequisites.MissingTools("dotnet", "git", "tar", "gzip", "nft", "iptables", "unshare", "ldconfig");
}
