using Mesh.IstiodLite.Sources.Kubernetes;
using Mesh.Kubernetes.Connection;
using Mesh.Kubernetes.Informers;
using Mesh.Kubernetes.Requests;
using Mesh.Testing.Kubernetes;

namespace Mesh.IstiodLite.Tests.Sources;

/// <summary>The source on a cluster, alone.</summary>
public sealed class KubernetesSourceTests
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task ChangeBeforeTheFirstStateIsInForce_IsKept_AndToldAfterIt()
    {
        await using var server = new FakeApiServer();
        server.InstallMeshKinds();
        await server.StartAsync();
        using var client = new KubeClient(new ClusterConfiguration { Server = server.PlainAddress, Credentials = new StaticToken(FakeApiServer.AdminToken) });
        server.Put("""{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"goes"} }""");
        await using var source = new KubernetesSource(client, "istio-system", new InformerOptions(), TimeProvider.System, null);
        var told = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        var inForce = false;
        source.Changed += (state, _) =>
        {
            if (state.Changes.Any(c => c.Key.Name == "goes" && c.After is null))
                told.TrySetResult(Volatile.Read(ref inForce));
        };
        var first = await source.StartAsync(CancellationToken.None).WaitAsync(_patience);
        Assert.Contains(first.Resources.Namespaces, n => n.Name == "goes");

        // Somebody else is slow between the two: the informer sees the change first.
        var namespaces = server.Store.FindKind("", "v1", "namespaces")!;
        server.Store.Delete(namespaces, "", "goes", null, new Testing.Kubernetes.Storage.WriteContext());
        using var limit = new CancellationTokenSource(_patience);
        while (source.Health.First(h => h.Kind == "namespaces").Objects >= first.Resources.Namespaces.Count)
            await Task.Delay(10, limit.Token);
        Volatile.Write(ref inForce, true);
        source.Follow();

        Assert.True(await told.Task.WaitAsync(_patience), "it was told before the first state was in force, which then undid it");
    }
}
