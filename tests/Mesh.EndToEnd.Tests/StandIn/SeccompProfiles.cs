using System.Text.Json.Nodes;

using Mesh.EndToEnd.Tests.Harness;

namespace Mesh.EndToEnd.Tests.StandIn;

/// <summary>What <c>seccompProfile: RuntimeDefault</c> is on a node with containerd: asked of containerd, because it depends on the capabilities.</summary>
internal sealed class SeccompProfiles(Containerd runtime, string root) : IAsyncDisposable
{
    private readonly SemaphoreSlim _gate = new(1);
    private readonly Dictionary<string, JsonNode> _known = new(StringComparer.Ordinal);

    public static async Task<SeccompProfiles> StartAsync(string folder)
    {
        var root = Path.Combine(folder, "empty");
        Directory.CreateDirectory(root);
        return new SeccompProfiles(await Containerd.StartAsync(folder), root);
    }

    public async Task<JsonNode> OfAsync(IReadOnlyList<string> capabilities)
    {
        await _gate.WaitAsync();
        try
        {
            var key = string.Join(' ', capabilities.Order(StringComparer.Ordinal));
            if (!_known.TryGetValue(key, out var profile))
                _known[key] = profile = await AskAsync($"profile-{_known.Count}", capabilities);
            return profile.DeepClone();
        }
        finally
        {
            _gate.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await runtime.DisposeAsync();
        _gate.Dispose();
    }

    private async Task<JsonNode> AskAsync(string name, IReadOnlyList<string> capabilities)
    {
        var change = OciBundle.DefaultCapabilities.Select(c => $"CAP_{c}").Except(capabilities).SelectMany(c => (string[])["--cap-drop", c]).Concat(capabilities.SelectMany(c => (string[])["--cap-add", c]));
        (await runtime.CtrAsync(["container", "create", "--rootfs", "--seccomp", .. change, root, name, "/bin/true"])).Expect(0);
        var profile = JsonNode.Parse((await runtime.CtrAsync("container", "info", name)).Expect(0).Output)!["Spec"]!["linux"]!["seccomp"];
        (await runtime.CtrAsync("container", "rm", name)).Expect(0);
        return profile ?? throw new InvalidOperationException("containerd has no default profile here: its runc was built without seccomp");
    }
}
