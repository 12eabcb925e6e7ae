using System.Text.Json;
using Envoy.Service.Discovery.V3;
using Google.Protobuf;
using Mesh.Xds.Client;
using Mesh.Xds.Grpc;

namespace Mesh.Xds.Tests.Client;

/// <summary>Every request of a recorded session of the Rust ztunnel, compared field by field with ours.</summary>
public sealed class RecordedRequestTests
{
    private static readonly XdsNode RecordedNode = new()
    {
        Role = "ztunnel",
        InstanceIp = "198.18.1.201",
        PodName = "ztunnel-n1",
        PodNamespace = "istio-system",
        NodeName = "n1",
        Metadata = [("FOO", "bar"), ("ISTIO_VERSION", "1.99.0")],
        JsonMetadata = [("BAZ", """{"a": 1, "b": ["x", true]}""")],
    };

    [Fact]
    public async Task Session_StartNackRemovalReconnect_SendsWhatTheRecordingSent()
    {
        var recorded = Recorded();
        await using var rig = new XdsClientRig(node: RecordedNode);

        // Start: one request per type, then their acknowledgements.
        var stream = await rig.Server.AcceptAsync();
        Assert.Equal([recorded[0], recorded[1]], stream.First);
        var retained = recorded.Last(r => r.InitialResourceVersions.Count > 0 && r.TypeUrl == XdsTypeUrls.Address).InitialResourceVersions;
        Assert.Equal(recorded[2], await stream.AnswerAsync(XdsClientRig.Response(XdsTypeUrls.Address, "n1", [.. retained.Select(r => (r.Key, r.Value))])));
        Assert.Equal(recorded[3], await stream.AnswerAsync(XdsClientRig.Response(XdsTypeUrls.Authorization, "n2")));

        // One good and one bad workload. The reason is the handler's; here it is that of the test.
        var nack = recorded[4].Clone();
        Assert.Equal("bad1: failed to parse address, had 3 bytes", nack.ErrorDetail.Message);
        nack.ErrorDetail.Message = "bad1: is bad";
        Assert.Equal(nack, await stream.AnswerAsync(XdsClientRig.Response(XdsTypeUrls.Address, "n3", ("bad1", "v11"), ("good1", "v12"))));

        var removal = XdsClientRig.Response(XdsTypeUrls.Address, "n4");
        removal.RemovedResources.Add(["bad1", "good1"]);
        Assert.Equal(recorded[5], await stream.AnswerAsync(removal));

        var policy = recorded.Last(r => r.InitialResourceVersions.Count > 0 && r.TypeUrl == XdsTypeUrls.Authorization).InitialResourceVersions.Single();
        Assert.Equal(recorded[6], await stream.AnswerAsync(XdsClientRig.Response(XdsTypeUrls.Authorization, "n5", (policy.Key, policy.Value))));

        // The server ends the stream with OK: the client comes back with everything it has.
        stream.End();
        var again = await rig.Server.AcceptAsync();
        Assert.Equal([recorded[7], recorded[8]], again.First);
        Assert.Equal(recorded[9], await again.AnswerAsync(XdsClientRig.Response(XdsTypeUrls.Address, "n6")));
        Assert.Equal(recorded[10], await again.AnswerAsync(XdsClientRig.Response(XdsTypeUrls.Authorization, "n7")));
    }

    [Fact]
    public async Task Session_OnDemand_SendsWhatTheRecordingSent()
    {
        using var document = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "Fixtures", "on_demand_requests.json")));
        var recorded = document.RootElement.EnumerateArray().Select(e => Parse(e.GetProperty("request"))).ToList();
        await using var rig = new XdsClientRig(XdsSubscriptionMode.OnDemand);
        var stream = await rig.Server.AcceptAsync();
        Assert.Equal(recorded.Take(2), stream.First.Select(WithoutNode));
        Assert.Equal(recorded[2], await stream.AnswerAsync(XdsClientRig.Response(XdsTypeUrls.Address, "n8")));
        Assert.Equal(recorded[3], await stream.AnswerAsync(XdsClientRig.Response(XdsTypeUrls.Authorization, "n9")));
        _ = rig.Client.DemandAsync(XdsTypeUrls.Address, "/198.18.1.41");
        Assert.Equal(recorded[4], await stream.NextRequestAsync());
        Assert.Equal(recorded[5], await stream.AnswerAsync(XdsClientRig.Response(XdsTypeUrls.Address, "n10", ("/198.18.1.41", "v1"))));
        _ = rig.Client.DemandAsync(XdsTypeUrls.Address, "/198.18.2.1");
        Assert.Equal(recorded[6], await stream.NextRequestAsync());
    }

    [Fact]
    public void Node_WithBadJsonMetadata_LeavesThatKeyOut()
    {
        var complaints = new List<string>();
        var node = (RecordedNode with { JsonMetadata = [("GOOD", "[1]"), ("BAD", "{not json")] }).ToProto(complaints.Add);
        Assert.True(node.Metadata.Fields.ContainsKey("GOOD"));
        Assert.False(node.Metadata.Fields.ContainsKey("BAD"));
        Assert.Contains("ISTIO_METAJSON_BAD", Assert.Single(complaints), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Metadata_OfTheRecording_IsWhatCredentialsAndHeadersMake()
    {
        using var document = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "Fixtures", "requests.json")));
        var recorded = document.RootElement[0].GetProperty("metadata").EnumerateObject().Select(m => (m.Name, m.Value.GetString()!)).Order().ToList();
        var token = await TokenCredentials.FromLiteral("<token>", "Kubernetes").GetMetadataAsync(CancellationToken.None);
        var ours = token.Concat(new GrpcMetadata().Add("X_TEST", "xv")).Select(m => (m.Key, m.Value)).Order().ToList();
        Assert.Equal(recorded, ours);
    }

    private static List<DeltaDiscoveryRequest> Recorded()
    {
        using var document = JsonDocument.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Fixtures", "requests.json")));
        return [.. document.RootElement.EnumerateArray().Select(e => DeltaDiscoveryRequest.Parser.ParseFrom(Convert.FromHexString(e.GetProperty("hex").GetString()!)))];
    }

    private static DeltaDiscoveryRequest Parse(JsonElement json) =>
        new JsonParser(JsonParser.Settings.Default).Parse<DeltaDiscoveryRequest>(json.GetRawText());

    private static DeltaDiscoveryRequest WithoutNode(DeltaDiscoveryRequest request)
    {
        var copy = request.Clone();
        copy.Node = null;
        return copy;
    }
}
