using System.Net;
using Mesh.IstiodLite.Registration;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Telemetry;
using Mesh.Runtime;
using Mesh.Runtime.Metrics;
using Mesh.Testing;

namespace Mesh.IstiodLite.Tests.Registration;

public sealed class InstanceRegistryTests : IDisposable
{
    private const string Group = """
        apiVersion: networking.istio.io/v1
        kind: WorkloadGroup
        metadata: { name: billing, namespace: shop }
        spec:
          metadata: { labels: { app: billing } }
          template: { serviceAccount: billing, ports: { http: 8080 } }
        """;

    private static readonly InstanceKey _key = new("shop", "billing", "a");
    private readonly string _folder = Directory.CreateTempSubdirectory("istiod-lite-test-").FullName;
    private readonly ManualTimeProvider _time = new();
    private readonly Health _health;
    private WorkloadGroup? _group = (WorkloadGroup)Documents.Parse(Group).Resources[0];
    private ResourceSet _entries = ResourceSet.Empty;
    private InstanceRegistry _registry;

    public InstanceRegistryTests()
    {
        _health = new Health(new Readiness(_time), new MetricRegistry(), null);
        _registry = Make();
    }

    private WorkloadEntry? Entry => _entries.WorkloadEntries.SingleOrDefault();

    public void Dispose()
    {
        _registry.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void Instance_IsAnEntryOfItsGroup()
    {
        Register(new InstanceRequest { Address = "198.18.7.1", Labels = new Dictionary<string, string> { ["version"] = "v2" }, Weight = 3 });
        Assert.Equal("billing-a", Entry!.Name);
        Assert.True(Entry.Healthy);
        Assert.Equal(("198.18.7.1", "billing", 3u, 8080), (Entry.Endpoint.Address, Entry.Endpoint.ServiceAccount, Entry.Endpoint.Weight, Entry.Endpoint.Ports["http"]));
        Assert.Equal(["app=billing", "version=v2"], Entry.Meta.Labels.Select(l => $"{l.Key}={l.Value}").Order(StringComparer.Ordinal));
        Assert.True(_registry.Deregister(_key));
        Assert.Null(Entry);
        Assert.False(_registry.Deregister(_key));
    }

    /// <summary>As Istio's agent would do it, but from outside; what the registration says of itself counts more.</summary>
    [Theory]
    [InlineData("httpGet: { path: healthz, port: 8081 }, periodSeconds: 5, failureThreshold: 2", "8081/healthz 5 1 2 1")]
    [InlineData("tcpSocket: { port: 5432 }, timeoutSeconds: 3, successThreshold: 4", "5432 10 3 3 4")]
    [InlineData("exec: { command: [ true ] }", null)]
    [InlineData("httpGet: { port: 8081, scheme: HTTPS }", null)]
    public void ProbeOfTheGroup_IsTheCheckOfInstancesWithoutOne(string probe, string? expected)
    {
        var group = (WorkloadGroup)Documents.Parse($"{Group}\n  probe: {{ {probe} }}\n").Resources[0];
        var check = Make(new InstanceRequest()).Check;
        Assert.Equal(expected, check is null ? null : $"{check.Http?.Port ?? check.Tcp!.Port}{check.Http?.Path} {check.Interval.TotalSeconds:0} {check.Timeout.TotalSeconds:0} {check.Failures} {check.Successes}");
        Assert.Equal(expected is null ? TimeSpan.FromSeconds(30) : null, Make(new InstanceRequest()).Ttl);
        Assert.Null(Make(new InstanceRequest { Ttl = "10s" }).Check);
        Assert.Equal(9999, Make(new InstanceRequest { Check = new CheckRequest { Tcp = new TcpCheck(9999) } }).Check!.Tcp!.Port);

        Instance Make(InstanceRequest request) => InstanceRules.Make(_key, request, group, IPAddress.Parse("198.18.7.1"), out _)!;
    }

    [Fact]
    public void Heartbeats_ThatStop_TakeItOutAndBackAndAtLastAway()
    {
        Register(new InstanceRequest { Ttl = "10s", ForgetAfter = "60s" });
        for (var i = 0; i < 5; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(9));
            Assert.True(_registry.Heartbeat(_key, healthy: true, null));
        }

        Assert.True(Entry!.Healthy);
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.False(Entry!.Healthy);
        Assert.Equal("no heartbeat within 10s", _registry.Find(_key)!.Reason);
        Assert.True(_registry.Heartbeat(_key, healthy: true, null));
        Assert.True(Entry!.Healthy);
        _time.Advance(TimeSpan.FromSeconds(10));
        _time.Advance(TimeSpan.FromSeconds(60));
        Assert.Null(Entry);
        Assert.False(_registry.Heartbeat(_key, healthy: true, null));
    }

    [Fact]
    public void Heartbeat_ThatSaysItIsIll_TakesItOut()
    {
        Register(new InstanceRequest());
        _registry.Heartbeat(_key, healthy: false, "the database is away");
        Assert.False(Entry!.Healthy);
        Assert.Equal("the database is away", _registry.Find(_key)!.Reason);
        Register(new InstanceRequest()); // the same again is a heartbeat
        Assert.True(Entry!.Healthy);
    }

    [Fact]
    public void Restart_KnowsTheInstancesAndGivesThemTime()
    {
        Register(new InstanceRequest { Ttl = "10s" });
        _time.Advance(TimeSpan.FromSeconds(9));
        _registry.Dispose();
        _entries = ResourceSet.Empty;
        _registry = Make();
        _registry.Restore();
        _time.Advance(TimeSpan.FromSeconds(9));
        Assert.True(Entry!.Healthy);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.False(Entry!.Healthy);
    }

    [Fact]
    public void Group_ChangedOrGone_ChangesOrRemovesItsInstances()
    {
        Register(new InstanceRequest());
        var before = _group;
        _group = (WorkloadGroup)Documents.Parse(Group.Replace("http: 8080", "http: 9090", StringComparison.Ordinal)).Resources[0];
        _registry.GroupsChanged([new ResourceChange(before, _group)]);
        Assert.Equal(9090, Entry!.Endpoint.Ports["http"]);
        (before, _group) = (_group, null);
        _registry.GroupsChanged([new ResourceChange(before, null)]);
        Assert.Null(Entry);
    }

    [Fact]
    public void Disk_ThatCannotBeWritten_IsAFaultUntilItCan()
    {
        Directory.Delete(_folder);
        Register(new InstanceRequest());
        Assert.NotNull(Entry);
        Assert.Contains("registrations: ", _health.Text, StringComparison.Ordinal);
        Directory.CreateDirectory(_folder);
        _registry.Heartbeat(_key, healthy: false, null);
        Assert.DoesNotContain("registrations", _health.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{\"ttl\":\"10\"}", "ttl")]
    [InlineData("{\"ttl\":\"10ms\"}", "ttl")]
    [InlineData("{\"address\":\"0.0.0.0\"}", "0.0.0.0")]
    [InlineData("{\"address\":\"example.com\"}", "example.com")]
    [InlineData("{\"ports\":{\"http\":70000}}", "70000")]
    [InlineData("{\"check\":{}}", "exactly one")]
    [InlineData("{\"check\":{\"http\":{\"port\":1},\"tcp\":{\"port\":1}}}", "exactly one")]
    [InlineData("{\"check\":{\"http\":{\"port\":1,\"path\":\"x\"}}}", "path")]
    public void Registration_ThatMakesNoSense_IsRefusedWithTheField(string body, string field)
    {
        var request = System.Text.Json.JsonSerializer.Deserialize(body, RegistrationJson.Default.InstanceRequest)!;
        Assert.Null(InstanceRules.Make(_key, request, _group!, IPAddress.Loopback, out var error));
        Assert.Contains(field, error!.Error, StringComparison.Ordinal);
    }

    private InstanceRegistry Make() => new((_, _) => _group, new RegistrationFile(Path.Combine(_folder, "registrations.json"), _health, null), _time, null)
    {
        Changed = changes =>
        {
            Assert.All(changes, c => Assert.Same(c.Before, _entries.Find(c.Key)));
            _entries = _entries.With(changes);
        },
    };

    private void Register(InstanceRequest request) =>
        _registry.Register(InstanceRules.Make(_key, request, _group!, IPAddress.Parse("198.18.7.9"), out _)!);
}
