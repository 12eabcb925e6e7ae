using System.Security.Cryptography;

using Mesh.Meshctl.Control;
using Mesh.Meshctl.Local;
using Mesh.Runtime;

namespace Mesh.Meshctl.Demo;

/// <summary>The scene: documents, servers and clients.</summary>
internal static class DemoSetup
{
    public const string Documents = "deploy/demo";

    private static readonly (string Tool, string Package)[] Tools = [("nginx", "nginx-light"), ("curl", "curl")];

    private static readonly string[] Files =
    [
        "namespace.yaml", "payment-service.yaml", "payment-subsets.yaml", "payment-waypoint.yaml", "catalog-service.yaml",
        "peer-authentication.yaml", "virtual-service.yaml", "destination-rule.yaml", "authorization-policy.yaml",
    ];

    public static void CheckTools()
    {
        foreach (var (tool, package) in Tools)
        {
            if (Tool.Find(tool) is null)
                throw new MeshctlException(ExitCodes.Unavailable, $"the demo needs '{tool}': install the package {package} (Debian: apt-get install {package}), or run deploy/demo.sh, which does.");
        }
    }

    public static async Task<DemoStage> BuildAsync(DemoMesh mesh, string documents, CancellationToken cancel)
    {
        var responseMarker = "response-" + Convert.ToHexString(RandomNumberGenerator.GetBytes(8));
        var servers = new Dictionary<string, NginxServer>(StringComparer.Ordinal);
        foreach (var name in (string[])["payment-v1-a", "payment-v1-b", "payment-v1-c", "payment-v2", "payment-v2-b", "catalog", "legacy"])
            servers[name] = NginxServer.Create(mesh.Folder, name, responseMarker);
        var stage = new DemoStage
        {
            Mesh = mesh,
            Servers = servers,
            Documents = documents,
            RequestMarker = "request-" + Convert.ToHexString(RandomNumberGenerator.GetBytes(8)),
            ResponseMarker = responseMarker,
        };

        await mesh.ApplyAsync(Files.Select(f => Path.Combine(documents, f)), cancel);
        await Task.WhenAll(
            mesh.RunAsync(Client("order-service", inMesh: true), cancel),
            mesh.RunAsync(Client("stranger", inMesh: true), cancel),
            mesh.RunAsync(Client("outsider", inMesh: false), cancel),
            mesh.RunAsync(Payment(stage, "payment-v1-a", "v1"), cancel),
            mesh.RunAsync(Payment(stage, "payment-v1-b", "v1"), cancel),
            mesh.RunAsync(Payment(stage, "payment-v2", "v2"), cancel),
            mesh.RunAsync(Server(stage, "catalog", "catalog", inMesh: true, []), cancel),
            mesh.RunAsync(Server(stage, "legacy", "legacy", inMesh: false, []), cancel));
        return stage;
    }

    public static RunRequest Payment(DemoStage stage, string name, string version) =>
        Server(stage, name, "payment", inMesh: true, [("app", "payment"), ("version", version)]);

    private static RunRequest Client(string name, bool inMesh) => new() { Name = name, ServiceAccount = name, Node = "node-1", InMesh = inMesh, Labels = new(StringComparer.Ordinal) { ["app"] = name } };

    private static RunRequest Server(DemoStage stage, string name, string account, bool inMesh, (string Key, string Value)[] labels)
    {
        var all = labels.ToDictionary(l => l.Key, l => l.Value, StringComparer.Ordinal);
        all.TryAdd("app", name);
        return new RunRequest { Name = name, ServiceAccount = account, Node = "node-2", InMesh = inMesh, Labels = all, Program = [.. stage.Servers[name].Command], ReadyPort = NginxServer.Port };
    }
}
