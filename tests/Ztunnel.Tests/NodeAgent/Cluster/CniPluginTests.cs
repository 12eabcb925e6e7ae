using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Mesh.Testing.Kubernetes;

namespace Mesh.Ztunnel.Tests.NodeAgent.Cluster;

/// <summary>The plugin as a container runtime starts it: environment, standard input, standard output, exit code.</summary>
public sealed class CniPluginTests : IDisposable
{
    private const string Result = """{"cniVersion":"1.0.0","ips":[{"address":"10.0.0.7/24","gateway":"10.0.0.1"},{"address":"fd00::7/64"}],"dns":{}}""";

    private readonly string _folder = Directory.CreateTempSubdirectory("mesh-cni-").FullName;

    private string SocketPath => Path.Combine(_folder, "agent.sock");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Add_WhenTheAgentHasCapturedThePod_PassesTheResultOn()
    {
        using var agent = Listen();
        var answering = AnswerAsync(agent, """{"error":null}""");
        var (code, output) = await AddAsync(required: true);
        var asked = JsonNode.Parse(await answering)!;
        Assert.Equal(0, code);
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(Result), JsonNode.Parse(output)));
        Assert.Equal(("shop", "web", "/run/netns/x"), ((string?)asked["podNamespace"], (string?)asked["podName"], (string?)asked["networkNamespace"]));
        Assert.Equal(["10.0.0.7", "fd00::7"], asked["addresses"]!.AsArray().Select(a => (string?)a));
    }

    [Fact]
    public async Task Add_WhenTheAgentRefuses_FailsThePodsStartWithTheReason()
    {
        using var agent = Listen();
        var answering = AnswerAsync(agent, """{"error":"no listener"}""");
        var (code, output) = await AddAsync(required: true);
        await answering;
        var error = JsonNode.Parse(output)!;
        Assert.Equal(1, code);
        Assert.Equal(11, (int)error["code"]!);
        Assert.Contains("no listener", (string?)error["msg"], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Add_WithoutAnAgent_FailsOnlyWhereItIsRequired(bool required)
    {
        var (code, output) = await AddAsync(required);
        Assert.Equal(required ? 1 : 0, code);
        if (required)
            Assert.Contains("would start outside the mesh", (string?)JsonNode.Parse(output)!["details"], StringComparison.Ordinal);
    }

    /// <summary>Else a node whose power was cut would wait for an agent that waits for itself.</summary>
    [Theory]
    [InlineData("istio-system", "ztunnel-x7k2p", 0)]
    [InlineData("kube-system", "coredns-1", 0)]
    [InlineData("istio-system", "istiod-1", 1)]
    [InlineData("shop", "ztunnel-x7k2p", 1)]
    public async Task Add_OfWhatTheAgentNeeds_AsksNobody(string ns, string name, int expected)
    {
        var configuration = JsonNode.Parse(Configuration(true))!;
        configuration["home"] = "istio-system";
        configuration["excludedNamespaces"] = new JsonArray("kube-system");
        var (code, _) = await RunAsync(configuration.ToJsonString(), ("CNI_COMMAND", "ADD"), ("CNI_NETNS", "/run/netns/x"), ("CNI_ARGS", $"K8S_POD_NAMESPACE={ns};K8S_POD_NAME={name}"));
        Assert.Equal(expected, code);
    }

    /// <summary>An agent that does not come up keeps the mesh's pods from starting, and nobody else's.</summary>
    [Theory]
    [InlineData("", "", 0)]
    [InlineData("ambient", "", 1)]
    [InlineData("ambient", "none", 0)]
    [InlineData("", "ambient", 1)]
    public async Task Add_WhileTheAgentIsAway_StartsWhatTakesNoPart(string ofNamespace, string ofPod, int expected)
    {
        await using var server = new FakeApiServer();
        await server.StartAsync();
        var token = server.ActAs(Testing.Repository.Manifest, "istio-system", "ztunnel");
        server.Put($$$"""{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop","labels":{"istio.io/dataplane-mode":"{{{ofNamespace}}}"} } }""");
        server.Put($$$"""{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","namespace":"shop","labels":{"istio.io/dataplane-mode":"{{{ofPod}}}"} },"spec":{"containers":[]} }""");
        Assert.Equal(expected, await AddWithAccessAsync(server.Address, server.AuthorityPem, token));
    }

    [Fact]
    public async Task Add_WhileTheAgentIsAway_AndNobodySaysThatThePodTakesNoPart_Fails()
    {
        await using var server = new FakeApiServer();
        await server.StartAsync();
        var token = server.ActAs(Testing.Repository.Manifest, "istio-system", "ztunnel");
        server.Put("""{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop"} }""");
        Assert.Equal(1, await AddWithAccessAsync(server.Address, server.AuthorityPem, token)); // no such pod
        server.Put("""{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","namespace":"shop"},"spec":{"containers":[]} }""");
        Assert.Equal(0, await AddWithAccessAsync(server.Address, server.AuthorityPem, token));
        Assert.Equal(1, await AddWithAccessAsync(server.Address, server.AuthorityPem, "another"));
        await using var stranger = new FakeApiServer();
        Assert.Equal(1, await AddWithAccessAsync(server.Address, stranger.AuthorityPem, token));
        Assert.Equal(1, await AddWithAccessAsync(new Uri("https://127.0.0.1:1"), server.AuthorityPem, token));
    }

    [Fact]
    public async Task Add_OfSomethingThatIsNoPod_AsksNobody() =>
        Assert.Equal(0, (await RunAsync(Configuration(true), ("CNI_COMMAND", "ADD"), ("CNI_NETNS", "/run/netns/x"), ("CNI_ARGS", "IgnoreUnknown=1"))).Code);

    [Theory]
    [InlineData("DEL")]
    [InlineData("CHECK")]
    public async Task Others_DoNothing(string command) => Assert.Equal((0, string.Empty), await RunAsync(Configuration(true), ("CNI_COMMAND", command)));

    [Fact]
    public async Task Version_NamesWhatIsSupported() =>
        Assert.Contains("1.1.0", JsonNode.Parse((await RunAsync("{}", ("CNI_COMMAND", "VERSION"))).Output)!["supportedVersions"]!.AsArray().Select(v => (string?)v));

    [Theory]
    [InlineData("not json", "ADD", 7)]
    [InlineData("[]", "ADD", 7)]
    [InlineData("{}", "EXPLODE", 4)]
    public async Task Nonsense_IsAnErrorOfTheSpecification(string input, string command, int expected)
    {
        var (code, output) = await RunAsync(input, ("CNI_COMMAND", command));
        Assert.Equal((1, expected), (code, (int)JsonNode.Parse(output)!["code"]!));
    }

    [Fact]
    public async Task Install_ChainsItselfOnce_AndUninstallTakesItBack()
    {
        var (bin, conf) = (Path.Combine(_folder, "bin"), Path.Combine(_folder, "net.d"));
        Directory.CreateDirectory(conf);
        await File.WriteAllTextAsync(Path.Combine(conf, "10-net.conf"), """{"cniVersion":"0.3.1","name":"net","type":"bridge"}""");
        await File.WriteAllTextAsync(Path.Combine(conf, "99-loopback.conf"), """{"type":"loopback"}""");
        string[] where = [$"--bin-dir={bin}", $"--conf-dir={conf}", "--agent-socket=/run/a.sock", "--required=false", "--home=mesh", "--excluded=kube-system,ci"];
        Assert.Equal(0, (await RunAsync(string.Empty, ["install", .. where])).Code);
        Assert.Equal(0, (await RunAsync(string.Empty, ["install", .. where])).Code);

        var list = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(conf, "10-net.conflist")))!;
        Assert.Equal(["bridge", "mesh-cni"], list["plugins"]!.AsArray().Select(p => (string?)p!["type"]));
        Assert.False((bool)list["plugins"]![1]!["required"]!);
        Assert.Equal("mesh", (string?)list["plugins"]![1]!["home"]);
        Assert.Equal(["kube-system", "ci"], list["plugins"]![1]!["excludedNamespaces"]!.AsArray().Select(n => (string?)n));
        Assert.False(File.Exists(Path.Combine(conf, "10-net.conf")));
        Assert.True(File.Exists(Path.Combine(bin, "mesh-cni")));

        Assert.Equal(0, (await RunAsync(string.Empty, ["uninstall", .. where])).Code);
        list = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(conf, "10-net.conflist")))!;
        Assert.Equal(["bridge"], list["plugins"]!.AsArray().Select(p => (string?)p!["type"]));
        Assert.Empty(Directory.EnumerateFileSystemEntries(bin));
    }

    [Fact]
    public async Task Install_WithoutAPodNetwork_SaysWhatIsMissing()
    {
        var result = await RunAsync(string.Empty, ["install", $"--bin-dir={_folder}/bin", $"--conf-dir={_folder}"]);
        Assert.Equal(75, result.Code);
    }

    private Socket Listen()
    {
        var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(SocketPath));
        listener.Listen();
        return listener;
    }

    private static async Task<string> AnswerAsync(Socket listener, string reply)
    {
        using var connection = await listener.AcceptAsync();
        var buffer = new byte[4096];
        var length = 0;
        while (length == 0 || buffer[length - 1] != '\n')
            length += await connection.ReceiveAsync(buffer.AsMemory(length));
        await connection.SendAsync(Encoding.UTF8.GetBytes(reply + "\n"));
        return Encoding.UTF8.GetString(buffer, 0, length);
    }

    private string Configuration(bool required) =>
        $$"""{"cniVersion":"1.0.0","name":"net","type":"mesh-cni","agentSocket":"{{SocketPath}}","required":{{(required ? "true" : "false")}},"prevResult":{{Result}}}""";

    private async Task<int> AddWithAccessAsync(Uri server, string roots, string token)
    {
        var access = Path.Combine(_folder, "access.json");
        await File.WriteAllTextAsync(access, new JsonObject { ["server"] = server.ToString(), ["roots"] = roots, ["token"] = token }.ToJsonString());
        var configuration = JsonNode.Parse(Configuration(true))!;
        configuration["accessFile"] = access;
        return (await RunAsync(configuration.ToJsonString(), ("CNI_COMMAND", "ADD"), ("CNI_NETNS", "/run/netns/x"), ("CNI_ARGS", "K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web"))).Code;
    }

    private Task<(int Code, string Output)> AddAsync(bool required) => RunAsync(
        Configuration(required), ("CNI_COMMAND", "ADD"), ("CNI_CONTAINERID", "c1"), ("CNI_NETNS", "/run/netns/x"), ("CNI_IFNAME", "eth0"),
        ("CNI_ARGS", "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web;K8S_POD_INFRA_CONTAINER_ID=c1"));

    private static Task<(int Code, string Output)> RunAsync(string input, params (string Name, string Value)[] environment) => RunAsync(input, [], environment);

    private static async Task<(int Code, string Output)> RunAsync(string input, string[] arguments, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(Testing.Repository.CniPlugin) { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true };
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, output);
    }
}
