using Mesh.Runtime;
using Mesh.Ztunnel.Settings;

namespace Mesh.Ztunnel.Tests.Settings;

/// <summary>Environment to settings: names, defaults and mistakes.</summary>
public sealed class SettingsReaderTests
{
    private static ZtunnelSettings Read(params (string Name, string Value)[] variables) => SettingsReader.Read(Environment(variables));

    private static EnvironmentSettings Environment(params (string Name, string Value)[] variables) =>
        new(variables.ToDictionary(v => v.Name, v => v.Value, StringComparer.Ordinal));

    [Fact]
    public void Nothing_GivesTheDefaults()
    {
        var settings = Read();
        Assert.Equal(ProxyMode.Shared, settings.Mode);
        Assert.Equal("https://localhost:15012/", settings.ControlPlane.Address!.ToString());
        Assert.Equal((4194304, 16777216, 1048576), (settings.Tunnel.StreamWindow, settings.Tunnel.ConnectionWindow, settings.Tunnel.FrameSize));
        Assert.Equal((100, TimeSpan.FromMinutes(5)), (settings.Tunnel.PoolMaxStreams, settings.Tunnel.PoolUnusedRelease));
        Assert.Equal((uint?)1337, settings.Pods.PacketMark);
        Assert.Equal("/var/run/ztunnel/ztunnel.sock", settings.Pods.Socket);
        Assert.Equal(TimeSpan.FromHours(24), settings.Authority.SecretTtl);
        Assert.Equal((true, TimeSpan.FromSeconds(180), 9), (settings.Socket.KeepAlive, settings.Socket.KeepAliveTime, settings.Socket.KeepAliveRetries));
        Assert.Equal(TimeSpan.FromSeconds(5), settings.Drain.Deadline);
        Assert.True(settings.Dns.Enabled);
        Assert.Null(settings.PreserveSource);
        Assert.Equal(CaptureRules.Off, settings.Pods.CaptureRules);
    }

    [Fact]
    public void InCluster_TheControlPlaneIsIstiod() =>
        Assert.Equal("https://istiod.istio-system.svc:15012/", Read(("KUBERNETES_SERVICE_HOST", "10.0.0.1")).ControlPlane.Address!.ToString());

    [Fact]
    public void Address_WithoutScheme_IsHttps_AndAnEmptyOneIsNone()
    {
        Assert.Equal("https://a:15012/", Read(("XDS_ADDRESS", "a:15012")).ControlPlane.Address!.ToString());
        Assert.Null(Read(("XDS_ADDRESS", "")).ControlPlane.Address);
    }

    [Fact]
    public void ProxyConfig_IsUsedWhereTheEnvironmentSaysNothing()
    {
        const string Config = """
            discoveryAddress: istiod:15012
            proxyAdminPort: 15099
            statsPort: 15098
            concurrency: 3
            proxyMetadata:
              ISTIO_VERSION: from-config
              DNS_CAPTURE: "false"
            """;
        var settings = Read(("PROXY_CONFIG", Config), ("ISTIO_META_ISTIO_VERSION", "from-env"));
        Assert.Equal("https://istiod:15012/", settings.ControlPlane.Address!.ToString());
        Assert.Equal((15099, 15098, 3), (settings.Admin.Port, settings.Admin.StatsPort, settings.WorkerThreads));
        Assert.Equal("from-env", settings.Self.IstioVersion);
        Assert.False(settings.Dns.Enabled);
    }

    [Theory]
    [InlineData("3", 3)]
    [InlineData("0", 8)]
    [InlineData("50%", 4)]
    [InlineData("1%", 1)]
    [InlineData("30%", 3)]
    public void WorkerThreads_AreANumberOrAShare(string text, int expected)
    {
        var environment = Environment(("ZTUNNEL_WORKER_THREADS", text), ("ZTUNNEL_CPU_LIMIT", "8"));
        Assert.Equal(expected, WorkerCount.Read(environment, null, 64));
        Assert.Empty(environment.Errors);
    }

    [Theory]
    [InlineData("", "", 8, 2)]
    [InlineData("", "", 16, 4)]
    [InlineData("3500m", "", 16, 4)]
    [InlineData("2", "3", 16, 3)]
    [InlineData("", "6", 16, 6)]
    public void WorkerThreads_WithoutAWish_FollowWhatTheContainerIsGiven(string limit, string request, int processors, int expected)
    {
        List<(string, string)> variables = [];
        if (limit.Length > 0)
            variables.Add(("ZTUNNEL_RESOURCE_CPU_LIMIT", limit));
        if (request.Length > 0)
            variables.Add(("ZTUNNEL_RESOURCE_CPU_REQUEST", request));
        Assert.Equal(expected, WorkerCount.Read(Environment([.. variables]), null, processors));
    }

    [Theory]
    [InlineData("ENABLE_PROXY", "yes")]
    [InlineData("PROXY_MODE", "both")]
    [InlineData("SECRET_TTL", "1 day")]
    [InlineData("ZTUNNEL_WORKER_THREADS", "many")]
    [InlineData("XDS_ADDRESS", "http://plain:15012")]
    [InlineData("ZTUNNEL_CAPTURE_RULES", "maybe")]
    [InlineData("POOL_MAX_STREAMS_PER_CONNECTION", "0")]
    [InlineData("ISTIO_META_DNS_PROXY_ADDR", "nowhere")]
    public void WrongValue_IsReportedByName(string name, string value)
    {
        var environment = Environment((name, value));
        SettingsReader.Read(environment);
        Assert.Contains(name, Assert.Single(environment.Errors), StringComparison.Ordinal);
    }

    [Fact]
    public void AllMistakes_AreReportedTogether()
    {
        var environment = Environment(("ENABLE_PROXY", "1"), ("IPV6_ENABLED", "no"), ("XDS_ON_DEMAND", "true"));
        SettingsReader.Read(environment);
        Assert.Equal(3, environment.Errors.Count);
        Assert.Throws<SettingsException>(environment.ThrowIfInvalid);
    }

    [Fact]
    public void DedicatedMode_NeedsItsWorkload_AndMarksNothing()
    {
        var missing = Environment(("PROXY_MODE", "dedicated"));
        SettingsReader.Read(missing);
        Assert.Contains("PROXY_WORKLOAD_INFO", Assert.Single(missing.Errors), StringComparison.Ordinal);
        var settings = Read(("PROXY_MODE", "dedicated"), ("PROXY_WORKLOAD_INFO", "ns/name/sa"));
        Assert.Equal(("name", "ns", "sa"), (settings.DedicatedWorkload!.Name, settings.DedicatedWorkload.Namespace, settings.DedicatedWorkload.ServiceAccount));
        Assert.Null(settings.Pods.PacketMark);
    }

    [Fact]
    public void IllegalPorts_AreOurOwn()
    {
        Assert.True(Read().IsIllegalPort(15008));
        Assert.False(Read().IsIllegalPort(15080));
        Assert.True(Read(("UNSTABLE_ENABLE_SOCKS5", "true")).IsIllegalPort(15080));
        Assert.False(Read().IsIllegalPort(8080));
    }

    [Fact]
    public void NameThatLooksLikeOurs_AndIsNone_IsReported()
    {
        var env = new EnvironmentSettings(new Dictionary<string, string>(StringComparer.Ordinal) { ["ZTUNNEL_WORKER_THREAD"] = "2", ["ZTUNNEL_WORKER_THREADS"] = "2", ["SOMEBODY_ELSES"] = "2" });
        SettingsReader.Read(env);
        Assert.Equal(["ZTUNNEL_WORKER_THREAD"], SettingsReader.Unknown(env));
    }
}
