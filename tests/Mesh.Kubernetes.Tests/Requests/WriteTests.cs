using System.Text.Json.Nodes;
using Mesh.Kubernetes.Objects;
using Mesh.Kubernetes.Recording;
using Mesh.Kubernetes.Requests;
using Mesh.Kubernetes.Reviews;
using Mesh.Testing.Kubernetes;
using Mesh.Testing.Kubernetes.Storage;

namespace Mesh.Kubernetes.Tests.Requests;

/// <summary>Writes: apply and its owners, status, deletes, reviews and Events.</summary>
public sealed class WriteTests : IAsyncLifetime
{
    private readonly FakeApiServer _server = new();

    public async Task InitializeAsync()
    {
        _server.InstallMeshKinds();
        await _server.StartAsync();
    }

    public async Task DisposeAsync() => await _server.DisposeAsync();

    [Fact]
    public async Task Apply_OwnsItsFields_ConflictsWithOthers_AndGivesUpWhatItLeavesOut()
    {
        using var client = Clients.To(_server);
        Task<PartialObject> Apply(string manager, bool force, params (string Key, string Value)[] data) => client.ApplyAsync(ResourceTypes.ConfigMaps, "default", "c", ConfigMap(data), manager, force, null, CancellationToken.None);
        var first = await Apply("a", false, ("x", "1"), ("y", "1"));
        Assert.Equal(first.Metadata.ResourceVersion, (await Apply("a", false, ("x", "1"), ("y", "1"))).Metadata.ResourceVersion);

        var conflict = await Assert.ThrowsAsync<KubeException>(() => Apply("b", false, ("x", "2")));
        Assert.Equal(KubeFailure.Conflict, conflict.Failure);
        Assert.Contains(conflict.Causes, c => c.Reason == "FieldManagerConflict" && c.Field == ".data.x");
        await Apply("b", true, ("x", "2"));
        await Apply("a", false, ("z", "3"));

        var data = _server.Get("", "configmaps", "default", "c")!["data"]!.AsObject();
        Assert.Equal(["x", "z"], data.Select(d => d.Key).Order(StringComparer.Ordinal));
        Assert.Equal("2", (string?)data["x"]);
    }

    [Fact]
    public async Task AppliedStatus_ChangesNothingElse_AndCreatesNothing()
    {
        using var client = Clients.To(_server);
        var type = new ResourceType("gateway.networking.k8s.io", "v1", "gateways", "Gateway");
        JsonObject Body(string spec) => (JsonObject)JsonNode.Parse($$"""
            {"apiVersion":"gateway.networking.k8s.io/v1","kind":"Gateway","metadata":{"name":"g"},{{spec}}"status":{"conditions":[{"type":"Accepted","status":"True","reason":"A","message":"m","lastTransitionTime":"2026-01-01T00:00:00Z"}]} }
            """)!;
        var missing = await Assert.ThrowsAsync<KubeException>(() => client.ApplyAsync(type, "default", "g", Body(""), "m", true, "status", CancellationToken.None));
        Assert.Equal(KubeFailure.NotFound, missing.Failure);
        _server.Put("""{"apiVersion":"gateway.networking.k8s.io/v1","kind":"Gateway","metadata":{"name":"g","namespace":"default"},"spec":{"gatewayClassName":"x"} }""");

        var after = await client.ApplyAsync(type, "default", "g", Body("\"spec\":{\"gatewayClassName\":\"y\"},"), "m", true, "status", CancellationToken.None);

        var stored = _server.Get("gateway.networking.k8s.io", "gateways", "default", "g")!;
        Assert.Equal("x", (string?)stored["spec"]!["gatewayClassName"]);
        Assert.Equal("Accepted", (string?)stored["status"]!["conditions"]![0]!["type"]);
        Assert.Equal(1, after.Metadata.Generation);
    }

    [Fact]
    public async Task Delete_WithAForeignUid_IsAConflict_AndOfNothing_IsNoFailure()
    {
        using var client = Clients.To(_server);
        _server.Put("""{"apiVersion":"v1","kind":"Service","metadata":{"name":"s","namespace":"default"},"spec":{"ports":[{"port":1}]} }""");
        var wrong = await Assert.ThrowsAsync<KubeException>(() => client.DeleteAsync(ResourceTypes.Services, "default", "s", new DeleteOptions { Preconditions = new DeletePreconditions { Uid = "other" } }, CancellationToken.None));
        Assert.Equal(KubeFailure.Conflict, wrong.Failure);

        Assert.True(await client.DeleteAsync(ResourceTypes.Services, "default", "s", null, CancellationToken.None));
        Assert.False(await client.DeleteAsync(ResourceTypes.Services, "default", "s", null, CancellationToken.None));
    }

    [Fact]
    public async Task Update_WithAStaleVersion_IsAConflict()
    {
        using var client = Clients.To(_server);
        var made = await client.CreateAsync(ResourceTypes.Secrets, "default", new Secret { Metadata = new ObjectMeta { Name = "s", Namespace = "default" }, Data = new Dictionary<string, byte[]>(StringComparer.Ordinal) { ["k"] = [1, 2] } }, KubeJson.Default.Secret, CancellationToken.None);
        await client.UpdateAsync(ResourceTypes.Secrets, "default", "s", made with { Data = new Dictionary<string, byte[]>(StringComparer.Ordinal) { ["k"] = [3] } }, KubeJson.Default.Secret, CancellationToken.None);

        var stale = await Assert.ThrowsAsync<KubeException>(() => client.UpdateAsync(ResourceTypes.Secrets, "default", "s", made, KubeJson.Default.Secret, CancellationToken.None));
        Assert.Equal(KubeFailure.Conflict, stale.Failure);
        var exists = await Assert.ThrowsAsync<KubeException>(() => client.CreateAsync(ResourceTypes.Secrets, "default", made, KubeJson.Default.Secret, CancellationToken.None));
        Assert.Equal(KubeFailure.AlreadyExists, exists.Failure);
        Assert.Equal([3], (await client.FindAsync(ResourceTypes.Secrets, "default", "s", KubeJson.Default.Secret, CancellationToken.None))!.Data!["k"]);
        Assert.Null(await client.FindAsync(ResourceTypes.Secrets, "default", "other", KubeJson.Default.Secret, CancellationToken.None));
    }

    [Fact]
    public async Task Reviews_SayWhoAndWhetherTheyMay()
    {
        _server.Authorization.Enforced = true;
        _server.Put("""{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"default"},"spec":{"nodeName":"n","containers":[]} }""");
        _server.Put("""{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"Role","metadata":{"name":"r","namespace":"default"},"rules":[{"apiGroups":[""],"resources":["pods"],"verbs":["get"]}] }""");
        _server.Put("""{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"RoleBinding","metadata":{"name":"b","namespace":"default"},"roleRef":{"kind":"Role","name":"r"},"subjects":[{"kind":"ServiceAccount","name":"default","namespace":"default"}] }""");
        using var client = Clients.To(_server);

        var (account, _) = await client.ReviewTokenAsync(_server.Tokens.Issue("default", "default", ["istio-ca"], TimeSpan.FromHours(1), "p"), ["istio-ca"], CancellationToken.None);
        Assert.Equal(("default", "default", "p", "n"), (account!.Namespace, account.Name, account.Pod, account.Node));
        Assert.Null((await client.ReviewTokenAsync("", ["istio-ca"], CancellationToken.None)).Account);

        SubjectAccessReviewSpec Ask(string verb) => new() { User = "system:serviceaccount:default:default", ResourceAttributes = new ResourceAttributes { Namespace = "default", Verb = verb, Resource = "pods" } };
        Assert.True((await client.ReviewAccessAsync(Ask("get"), CancellationToken.None)).Allowed);
        Assert.False((await client.ReviewAccessAsync(Ask("delete"), CancellationToken.None)).Allowed);
        // What the server says of others it does itself.
        using var limited = Clients.To(_server.PlainAddress, _server.Tokens.Issue("default", "default", [Testing.Kubernetes.Access.Tokens.ApiAudience], TimeSpan.FromHours(1)));
        var forbidden = await Assert.ThrowsAsync<KubeException>(() => limited.ListAsync(ResourceTypes.Pods, null, Selection.All, 0, null, CancellationToken.None));
        Assert.Equal(KubeFailure.Forbidden, forbidden.Failure);
    }

    [Fact]
    public async Task Events_ThatRepeat_BecomeASeries_AndLongNotesAreCut()
    {
        using var client = Clients.To(_server);
        await using var recorder = new EventRecorder(client, "tester", "tester-1");
        recorder.Start();
        var regarding = new ObjectReference { Kind = "Service", Namespace = "default", Name = "s" };
        for (var i = 0; i < 3; i++)
            recorder.Record(regarding, warning: true, "Why", "Do", new string('ü', 900));
        recorder.Record(new ObjectReference { Kind = "Node", Name = "n" }, warning: false, "Fine", "Do", "all is well");

        var kind = _server.Store.FindKind("events.k8s.io", "v1", "events")!;
        IReadOnlyList<StoredObject> All() => _server.Store.List(kind, null, Selectors.Parse(kind, null, null)).Items;
        using var limit = new CancellationTokenSource(Clients.Patience);
        while (All().Count < 2)
            await Task.Delay(10, limit.Token);

        var repeated = Assert.Single(All(), e => (string?)e.Body["reason"] == "Why").Body;
        Assert.Equal(3, (int)repeated["series"]!["count"]!);
        Assert.InRange(System.Text.Encoding.UTF8.GetByteCount((string)repeated["note"]!), 1000, 1024);
        Assert.Equal("default", Assert.Single(All(), e => (string?)e.Body["reason"] == "Fine").Namespace);
    }

    private static JsonObject ConfigMap(params (string Key, string Value)[] data) => new()
    {
        ["apiVersion"] = "v1",
        ["kind"] = "ConfigMap",
        ["metadata"] = new JsonObject { ["name"] = "c" },
        ["data"] = new JsonObject(data.Select(d => new KeyValuePair<string, JsonNode?>(d.Key, d.Value))),
    };
}
