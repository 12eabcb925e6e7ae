using Mesh.Kubernetes.Connection;
using Mesh.Kubernetes.Informers;
using Mesh.Kubernetes.Requests;
using Mesh.Testing;
using Mesh.Testing.Kubernetes;
using Mesh.Testing.Kubernetes.Access;

namespace Mesh.Kubernetes.Tests.Connection;

/// <summary>Ways to reach a cluster and to be somebody there, over TLS and HTTP/2.</summary>
public sealed class ConnectionTests : IAsyncLifetime
{
    private readonly FakeApiServer _server = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("mesh-kubernetes-").FullName;

    public Task InitializeAsync() => _server.StartAsync();

    public async Task DisposeAsync()
    {
        await _server.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task KubeConfig_WithToken_TrustsItsAuthorityOnly()
    {
        await ListAsync(KubeConfigFile.Load(Write("config", _server.KubeConfig()), null, TimeProvider.System));

        await using var other = new FakeApiServer();
        var wrong = _server.KubeConfig().Replace(Base64(_server.AuthorityPem), Base64(other.AuthorityPem), StringComparison.Ordinal);
        var failure = await Assert.ThrowsAsync<KubeException>(() => ListAsync(KubeConfigFile.Load(Write("wrong", wrong), null, TimeProvider.System)));
        Assert.Equal(KubeFailure.Unreachable, failure.Failure);
        Assert.DoesNotContain(FakeApiServer.AdminToken, failure.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task KubeConfig_WithClientCertificate_NeedsNoToken()
    {
        var (certificate, key) = _server.IssueClientCertificate("ops");
        Write("client.pem", certificate);
        Write("client-key.pem", key);
        // Relative to the file, as kubectl has it.
        var text = _server.KubeConfig().Replace($"token: {FakeApiServer.AdminToken}", "client-certificate: client.pem\n    client-key: client-key.pem", StringComparison.Ordinal);

        await ListAsync(KubeConfigFile.Load(Write("config", text), null, TimeProvider.System));
    }

    [Fact]
    public async Task ExecPlugin_IsAskedOnce_AndAgainWhenItsTokenIsRefused()
    {
        if (OperatingSystem.IsWindows())
            return;
        var count = Path.Combine(_folder, "count");
        var plugin = Write("plugin.sh", $$"""
            #!/bin/sh
            echo x >> {{count}}
            n=$(wc -l < {{count}})
            printf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s-%s"} }' "$1" "$n"
            """);
        File.SetUnixFileMode(plugin, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var text = _server.KubeConfig().Replace($"token: {FakeApiServer.AdminToken}",
            "exec:\n      apiVersion: client.authentication.k8s.io/v1\n      command: ./plugin.sh\n      args: [tok]\n      interactiveMode: Never", StringComparison.Ordinal);
        var configuration = KubeConfigFile.Load(Write("config", text), null, TimeProvider.System);
        _server.Tokens.Add("tok-1", Admin);
        using var client = new KubeClient(configuration);
        await client.ListAsync(ResourceTypes.ConfigMaps, null, Selection.All, 0, null, CancellationToken.None);
        await client.ListAsync(ResourceTypes.ConfigMaps, null, Selection.All, 0, null, CancellationToken.None);
        Assert.Single(File.ReadAllLines(count));

        _server.Tokens.Remove("tok-1");
        _server.Tokens.Add("tok-2", Admin);
        await client.ListAsync(ResourceTypes.ConfigMaps, null, Selection.All, 0, null, CancellationToken.None);

        Assert.Equal(2, File.ReadAllLines(count).Length);
    }

    [Fact]
    public async Task ExecPlugin_ThatFails_IsNamed_AndItsOutputIsNot()
    {
        if (OperatingSystem.IsWindows())
            return;
        var plugin = Write("plugin.sh", "#!/bin/sh\necho '{\"status\":{\"token\":\"secret\"' ; echo 'log in first' >&2 ; exit 3\n");
        File.SetUnixFileMode(plugin, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var credentials = new ExecPlugin(new ExecPluginSettings { ApiVersion = "client.authentication.k8s.io/v1", Command = plugin }, TimeProvider.System);

        var failure = await Assert.ThrowsAsync<ClusterConfigurationException>(async () => await credentials.GetTokenAsync(CancellationToken.None));

        Assert.Contains("log in first", failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", failure.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task TokenFile_ThatWasReplaced_IsReadAgainOn401_AndAfterAMinute()
    {
        var time = new ManualTimeProvider();
        var path = Write("token", "first\n");
        _server.Tokens.Add("first", Admin);
        _server.Tokens.Add("second", Admin);
        var file = new TokenFile(path, time);
        using var client = new KubeClient(new ClusterConfiguration { Server = _server.PlainAddress, Credentials = file });
        await client.ListAsync(ResourceTypes.ConfigMaps, null, Selection.All, 0, null, CancellationToken.None);

        File.WriteAllText(path, "second");
        Assert.Equal("first", await file.GetTokenAsync(CancellationToken.None));
        _server.Tokens.Remove("first");
        await client.ListAsync(ResourceTypes.ConfigMaps, null, Selection.All, 0, null, CancellationToken.None);
        Assert.Equal("second", await file.GetTokenAsync(CancellationToken.None));

        File.WriteAllText(path, "third");
        time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal("third", await file.GetTokenAsync(CancellationToken.None));
        // Unreadable for a moment: the last one may still be good.
        File.Delete(path);
        time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal("third", await file.GetTokenAsync(CancellationToken.None));
        var refused = await Assert.ThrowsAsync<KubeException>(() => client.ListAsync(ResourceTypes.ConfigMaps, null, Selection.All, 0, null, CancellationToken.None));
        Assert.Equal(KubeFailure.Unauthorized, refused.Failure);
    }

    [Fact]
    public async Task AuthorityFile_ThatWasReplaced_CountsForTheNextConnection()
    {
        await using var other = new FakeApiServer();
        var path = Write("ca.crt", other.AuthorityPem);
        var configuration = new ClusterConfiguration { Server = _server.Address, Roots = TrustedRoots.FromFile(path), Credentials = new StaticToken(FakeApiServer.AdminToken) };
        using var client = new KubeClient(configuration);
        Task<ListPage> List() => client.ListAsync(ResourceTypes.ConfigMaps, null, Selection.All, 0, null, CancellationToken.None);
        await Assert.ThrowsAsync<KubeException>(List);

        // Half written: the last good one stays, and nothing breaks.
        File.WriteAllText(path, "-----BEGIN CERT");
        File.SetLastWriteTimeUtc(path, new DateTime(2030, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        await Assert.ThrowsAsync<KubeException>(List);
        File.WriteAllText(path, _server.AuthorityPem);
        File.SetLastWriteTimeUtc(path, new DateTime(2030, 1, 2, 0, 0, 0, DateTimeKind.Utc));

        Assert.NotEmpty((await List()).ResourceVersion);
    }

    /// <summary>The server says GOAWAY on HTTP/2, ends, and another one is there at the same address.</summary>
    [Fact]
    public async Task ServerThatGoesAway_OverHttp2_IsFollowed()
    {
        using var client = new KubeClient(KubeConfigFile.Load(Write("config", _server.KubeConfig()), null, TimeProvider.System));
        await using var mirror = new Mirror(client, ResourceTypes.ConfigMaps);
        await mirror.UntilAsync(m => m.Informer.Health.State is InformerState.Watching);

        await _server.StopAsync();
        await _server.StartAsync();
        _server.Put("""{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"after","namespace":"default"}}""");

        await mirror.UntilNamesAsync("after");
        Assert.Equal(1, mirror.Informer.Health.Lists);
    }

    [Theory]
    [InlineData("", "no current-context")]
    [InlineData("current-context: x", "no context \"x\"")]
    [InlineData("a: [", "not a kubeconfig")]
    [InlineData("current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]", "no cluster \"c\"")]
    [InlineData("current-context: x\ncontexts: [{name: x, context: {cluster: c}}]\nclusters: [{name: c, cluster: {server: nowhere}}]", "no usable server address")]
    public void KubeConfig_ThatCannotBeUsed_SaysWhy(string text, string expected)
    {
        var failure = Assert.Throws<ClusterConfigurationException>(() => KubeConfigFile.Parse(text, "/etc/k", null, TimeProvider.System));
        Assert.Contains(expected, failure.Message, StringComparison.Ordinal);
        Assert.Contains("/etc/k", failure.Message, StringComparison.Ordinal);
    }

    private static ApiUser Admin => new("admin", ["system:masters", "system:authenticated"]);

    private static string Base64(string text) => Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(text));

    private static async Task ListAsync(ClusterConfiguration configuration)
    {
        using var client = new KubeClient(configuration);
        Assert.NotEmpty((await client.ListAsync(ResourceTypes.Namespaces, null, Selection.All, 0, null, CancellationToken.None)).Items);
    }

    private string Write(string name, string text)
    {
        var path = Path.Combine(_folder, name);
        File.WriteAllText(path, text);
        return path;
    }
}
