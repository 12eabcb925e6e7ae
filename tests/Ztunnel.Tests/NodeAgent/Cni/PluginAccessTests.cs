using System.Text.Json.Nodes;
using Mesh.Kubernetes.Connection;
using Mesh.Runtime.Logging;
using Mesh.Testing;
using Mesh.Ztunnel.NodeAgent.Cni;

namespace Mesh.Ztunnel.Tests.NodeAgent.Cni;

/// <summary>What the agent leaves for the plugin: fresh, and for the node's root alone.</summary>
public sealed class PluginAccessTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("mesh-access-").FullName;
    private readonly ManualTimeProvider _time = new();

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task File_HasTheTokenAsItIs_AndOnlyRootReadsIt()
    {
        using var authority = new TestCertificateAuthority();
        var credentials = new ChangingToken { Token = "first" };
        var cluster = new ClusterConfiguration { Server = new Uri("https://10.96.0.1:443"), Roots = TrustedRoots.FromPem(authority.RootPem, "test"), Credentials = credentials };
        var path = PluginAccess.PathIn(_folder);
        await using (var access = new PluginAccess(path, cluster, new LogSink(Stream.Null, LogFormat.Text, LogFilter.Default, _time), _time))
        {
            access.Start();
            await UntilTokenAsync(path, "first");
            var written = JsonNode.Parse(await File.ReadAllTextAsync(path))!;
            Assert.Equal("https://10.96.0.1:443", (string?)written["server"]);
            Assert.Contains("BEGIN CERTIFICATE", (string?)written["roots"], StringComparison.Ordinal);
            if (!OperatingSystem.IsWindows())
                Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));

            credentials.Token = "second";
            while (_time.NextDue is null)
                await Task.Delay(10);
            _time.Advance(TimeSpan.FromMinutes(1));
            await UntilTokenAsync(path, "second");
        }
        // For when the agent is away; gone where there is no plugin to use it.
        Assert.True(File.Exists(path));
        await File.WriteAllTextAsync(path + ".new", "half");
        PluginAccess.Forget(_folder);
        Assert.Empty(Directory.EnumerateFiles(_folder));
        PluginAccess.Forget(Path.Combine(_folder, "not-there"));
    }

    /// <summary>A file has no event that says who reads it next.</summary>
    private static async Task UntilTokenAsync(string path, string token)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (!File.Exists(path) || (string?)JsonNode.Parse(await File.ReadAllTextAsync(path, patience.Token))!["token"] != token)
            await Task.Delay(10, patience.Token);
    }

    private sealed class ChangingToken : Credentials
    {
        public string Token { get; set; } = string.Empty;

        public override ValueTask<string?> GetTokenAsync(CancellationToken cancellation) => ValueTask.FromResult<string?>(Token);
    }
}
