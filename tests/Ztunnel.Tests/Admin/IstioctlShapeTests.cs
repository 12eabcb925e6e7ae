using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Mesh.Runtime;
using Mesh.Ztunnel.Admin;
using Mesh.Ztunnel.Local;
using Mesh.Ztunnel.Pods;
using Mesh.Ztunnel.Settings;

namespace Mesh.Ztunnel.Tests.Admin;

/// <summary>
/// The dump as a program reads it that knows every field by name and type, as <c>istioctl ztunnel-config</c> does: a field that is missing, of another
/// type, or unknown to it is a fault. The recording of the Rust ztunnel has to pass the same reading.
/// </summary>
public sealed class IstioctlShapeTests
{
    private static readonly JsonSerializerOptions Strict = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectRequiredConstructorParameters = true,
        RespectNullableAnnotations = true,
    };

    private static readonly ZtunnelSettings Settings = SettingsReader.Read(new EnvironmentSettings(new Dictionary<string, string>(StringComparer.Ordinal) { ["NODE_NAME"] = "n1" }));

    private sealed record Dump(
        List<Certificate> Certificates, JsonObject Config, List<Policy> Policies, List<Service> Services, Dictionary<string, Dictionary<string, Endpoint>> StagedServices,
        Static StaticConfig, Build Version, List<Pod> Workloads, Dictionary<string, State>? WorkloadState = null);

    private sealed record Certificate(string Identity, string State, List<Pem> CertChain, List<Pem> RootCerts);

    private sealed record Pem([property: JsonPropertyName("pem")] string Text, string SerialNumber, DateTimeOffset ValidFrom, DateTimeOffset ExpirationTime);

    private sealed record Static(List<Pod> Workloads, List<Policy> Policies, List<Service> Services);

    private sealed record Build(string Version, string GitRevision, string RustVersion, string BuildProfile, string BuildStatus, string IstioVersion, string CryptoProvider);

    private sealed record Pod(
        List<string> WorkloadIps, string Protocol, string NetworkMode, string Name, string Namespace, string Status, string ClusterId, uint Capacity,
        string Uid = "", string TrustDomain = "", string ServiceAccount = "", string Network = "", string WorkloadName = "", string WorkloadType = "", string CanonicalName = "",
        string CanonicalRevision = "", string Hostname = "", string Node = "", bool NativeTunnel = false, AppTunnel? ApplicationTunnel = null, List<string>? AuthorizationPolicies = null,
        Place? Locality = null, List<string>? Services = null, Gateway? Waypoint = null, Gateway? NetworkGateway = null);

    private sealed record AppTunnel(string Protocol, ushort? Port);

    private sealed record Place(string Region, string Zone, string Subzone);

    private sealed record Gateway(string Destination, ushort HboneMtlsPort);

    private sealed record Service(
        string Name, string Namespace, string Hostname, List<string> Vips, Dictionary<ushort, ushort> Ports, Dictionary<string, Endpoint> Endpoints, List<string> SubjectAltNames,
        bool Canonical, string Visibility, List<Block>? CidrVips = null, Gateway? Waypoint = null, List<Weighted>? WeightedWaypoints = null, Balancing? LoadBalancer = null, string? IpFamilies = null);

    private sealed record Endpoint(string WorkloadUid, Dictionary<ushort, ushort> Port, string Status);

    private sealed record Block(string Network, string Cidr);

    private sealed record Weighted(Gateway Destination, uint Weight);

    private sealed record Balancing(List<string> RoutingPreferences, string Mode, string HealthPolicy);

    private sealed record Policy(string Name, string Namespace, string Scope, string Action, List<List<List<Match>>> Rules, bool DryRun);

    private sealed record Match(
        List<Text>? Namespaces = null, List<Text>? NotNamespaces = null, List<Account>? ServiceAccounts = null, List<Account>? NotServiceAccounts = null, List<Text>? Principals = null,
        List<Text>? NotPrincipals = null, List<string>? SourceIps = null, List<string>? NotSourceIps = null, List<string>? DestinationIps = null, List<string>? NotDestinationIps = null,
        List<ushort>? DestinationPorts = null, List<ushort>? NotDestinationPorts = null);

    private sealed record Text(
        [property: JsonPropertyName("Exact")] string? Exact = null, [property: JsonPropertyName("Prefix")] string? Prefix = null, [property: JsonPropertyName("Suffix")] string? Suffix = null,
        [property: JsonPropertyName("Presence")] List<string>? Presence = null);

    private sealed record Account(string Namespace, string ServiceAccount);

    private sealed record State([property: JsonPropertyName("state")] string Phase, Connections Connections, Info Info);

    private sealed record Connections(List<Connection> Inbound, List<Connection> Outbound);

    private sealed record Connection(string Src, string? OriginalDst, string ActualDst, string Protocol);

    private sealed record Info(string Name, string Namespace, string ServiceAccount);

    private static async Task<JsonNode> OursAsync() =>
        JsonNode.Parse((await new ConfigDump(Settings, RecordedWorld.Load(RecordedWorld.Fixture("config_dump_all_fields_input.json")), null, null, null).RenderAsync()).Span)!;

    private static Dump Read(string json) => JsonSerializer.Deserialize<Dump>(json, Strict)!;

    [Fact]
    public async Task Dump_IsReadFieldByField_AsTheRecordingIs()
    {
        var recorded = Read(RecordedWorld.Fixture("config_dump_all_fields.json").GetRawText());
        var ours = Read((await OursAsync()).ToJsonString());
        Assert.Equal(recorded.Workloads.Select(w => w.Uid), ours.Workloads.Select(w => w.Uid));
        Assert.Equal(recorded.Services.Select(s => s.Hostname), ours.Services.Select(s => s.Hostname));
        Assert.Equal(recorded.Policies.Select(p => p.Name), ours.Policies.Select(p => p.Name));
        Assert.Equal(recorded.StagedServices.Keys, ours.StagedServices.Keys);
    }

    [Fact]
    public void Reading_OfAFieldWithAnotherTypeOrName_Fails()
    {
        var recorded = RecordedWorld.Fixture("config_dump_all_fields.json").GetRawText();
        Assert.Throws<JsonException>(() => Read(recorded.Replace("\"capacity\": 1", "\"capacity\": \"1\"", StringComparison.Ordinal)));
        Assert.Throws<JsonException>(() => Read(recorded.Replace("\"hboneMtlsPort\"", "\"port\"", StringComparison.Ordinal)));
    }

    [Fact]
    public void PodsAndTheirConnections_AreReadFieldByField()
    {
        var dump = ConfigDump.PodDump(
        [
            new PodState("uid-1", new PodInfo("cl", "default", "cl"), true, new PodConnections(
                [new PodConnection("198.18.1.11:52614", null, "198.18.1.21:8080", "HBONE")],
                [new PodConnection("198.18.1.21:1", "198.18.1.41:8080", "198.18.1.41:15008", "DOUBLEHBONE")])),
        ]);
        var state = JsonSerializer.Deserialize<Dictionary<string, State>>(dump.ToJsonString(), Strict)!["uid-1"];
        Assert.Equal(("Up", new Info("cl", "default", "cl")), (state.Phase, state.Info));
        Assert.Equal(new Connection("198.18.1.11:52614", null, "198.18.1.21:8080", "HBONE"), Assert.Single(state.Connections.Inbound));
        Assert.Equal(new Connection("198.18.1.21:1", "198.18.1.41:8080", "198.18.1.41:15008", "DOUBLEHBONE"), Assert.Single(state.Connections.Outbound));
    }

    /// <summary>What is null in one of the two says nothing of its type; a root is one of several variants.</summary>
    [Fact]
    public async Task Setting_HasTheTypeOfTheRecording()
    {
        var ours = (await OursAsync())["config"]!.AsObject();
        foreach (var recorded in RecordedWorld.Fixture("config_dump_all_fields.json").GetProperty("config").EnumerateObject())
        {
            if (recorded.Value.ValueKind == JsonValueKind.Null || ours[recorded.Name] is not { } own)
                continue;
            Assert.True(Kind(recorded.Value.ValueKind) == Kind(own.GetValueKind()), $"{recorded.Name} is {own.ToJsonString()}, recorded is {recorded.Value.GetRawText()}");
            if (own is JsonObject parts && recorded.Name is not ("proxyMetadata" or "ztunnelWorkload" or "caRootCert" or "xdsRootCert"))
                Assert.Equal(recorded.Value.EnumerateObject().Select(p => p.Name).Order(StringComparer.Ordinal), parts.Select(p => p.Key).Order(StringComparer.Ordinal));
        }
    }

    private static JsonValueKind Kind(JsonValueKind kind) => kind == JsonValueKind.False ? JsonValueKind.True : kind;
}
