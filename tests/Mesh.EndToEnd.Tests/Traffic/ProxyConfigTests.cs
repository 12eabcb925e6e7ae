using Mesh.EndToEnd.Tests.Harness;

namespace Mesh.EndToEnd.Tests.Traffic;

/// <summary>What a ProxyConfig says reaches the process of a waypoint in the local mode.</summary>
public sealed class ProxyConfigTests
{
    private const string Waypoint = "waypoint-default-wp";

    private const string Gateway =
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: { name: wp, namespace: default }
        spec: { gatewayClassName: istio-waypoint, listeners: [ { name: mesh, port: 15008, protocol: HBONE } ] }
        """;

    [MeshFact]
    public async Task Concurrency_IsTheWaypointsEnvironment_AndAChangeStartsItAgain()
    {
        await using var mesh = await TestMesh.UpAsync(MeshUser.Self);
        await mesh.ApplyAsync("config.yaml", Config(1));
        await mesh.ApplyAsync("gateway.yaml", Gateway);
        var first = await mesh.ProcessOfAsync(Waypoint);
        Assert.Contains("WORKER_THREADS=1", Environment(first));
        Assert.Contains("COLOUR=blue", Environment(first));

        await mesh.ApplyAsync("config.yaml", Config(2));
        var second = await mesh.ProcessOfAsync(Waypoint);
        Assert.NotEqual(first, second);
        Assert.Contains("WORKER_THREADS=2", Environment(second));

        // The same again is no change.
        await mesh.ApplyAsync("config.yaml", Config(2));
        Assert.Equal(second, await mesh.ProcessOfAsync(Waypoint));
    }

    private static string Config(int threads) =>
        $$"""
        apiVersion: networking.istio.io/v1beta1
        kind: ProxyConfig
        metadata: { name: run, namespace: default }
        spec: { concurrency: {{threads}}, environmentVariables: { COLOUR: blue } }
        """;

    private static string[] Environment(string process) => File.ReadAllText($"/proc/{process}/environ").Split('\0');
}
