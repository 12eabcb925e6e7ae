using Mesh.EndToEnd.Tests.Harness;

namespace Mesh.EndToEnd.Tests.Traffic;

/// <summary>One mesh for all traffic tests: client and stranger on node 1, the server on node 2, both captured. Started when the first test asks.</summary>
public sealed class TrafficMesh : IAsyncLifetime
{
    public const string Port = "9000";

    private readonly Lazy<Task<TestMesh>> _mesh = new(() => StartAsync(MeshUser.Self));

    public Task<TestMesh> Value => _mesh.Value;

    public static async Task<TestMesh> StartAsync(MeshUser user)
    {
        var mesh = await TestMesh.UpAsync(user);
        try
        {
            await mesh.RunAsync("client", ["--node", "node-1", "--service-account", "client"]);
            await mesh.RunAsync("stranger", ["--node", "node-1", "--service-account", "stranger"]);
            await mesh.RunAsync("server", ["--node", "node-2", "--service-account", "server", "--labels", "app=server", "--ready-port", Port], "python3", Repository.Script("peer.py"), "serve", Port, "the-server");
            return mesh;
        }
        catch
        {
            await mesh.DisposeAsync();
            throw;
        }
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        if (_mesh.IsValueCreated)
            await (await _mesh.Value).DisposeAsync();
    }

    /// <summary>The client of a behaviour, in a pod, against the server.</summary>
    internal static async Task<CommandResult> PlayAsync(TestMesh mesh, string pod, string behaviour, params string[] more) =>
        await mesh.ExecAsync(pod, ["python3", Repository.Script("peer.py"), behaviour, await mesh.AddressOfAsync("server"), Port, .. more]);
}
