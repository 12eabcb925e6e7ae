using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Mesh.Model;
using Mesh.Runtime;
using Mesh.Ztunnel.Admin;
using Mesh.Ztunnel.Settings;

namespace Mesh.Ztunnel.Tests.Admin;

/// <summary>The dump against what the Rust ztunnel printed for the same world.</summary>
public sealed class ConfigDumpTests
{
    private static readonly ZtunnelSettings Settings = SettingsReader.Read(new EnvironmentSettings(new Dictionary<string, string>(StringComparer.Ordinal) { ["NODE_NAME"] = "n1" }));

    private static async Task<JsonNode> DumpAsync(MeshState mesh) =>
        JsonNode.Parse((await new ConfigDump(Settings, mesh, null, null, null).RenderAsync()).Span)!;

    [Theory]
    [InlineData("workloads")]
    [InlineData("services")]
    [InlineData("policies")]
    [InlineData("stagedServices")]
    public async Task Registry_OfTheRecordedWorld_IsPrintedAsRecorded(string part)
    {
        var ours = (await DumpAsync(RecordedWorld.Load(RecordedWorld.Fixture("config_dump_all_fields_input.json"))))[part]!;
        var recorded = JsonNode.Parse(RecordedWorld.Fixture("config_dump_all_fields.json").GetProperty(part).GetRawText())!;
        Assert.True(JsonNode.DeepEquals(Ordered(recorded), Ordered(ours)), $"recorded:\n{Ordered(recorded)}\nours:\n{Ordered(ours)}");
    }

    [Fact]
    public async Task Keys_AreThoseOfTheRecording_ButForWhatWeDoNotHave()
    {
        // Of the Rust process: its arguments and the settings of its DNS library.
        string[] notOurs = ["proxyArgs", "dnsResolverCfg", "dnsResolverOpts"];
        var ours = (await DumpAsync(new MeshState("n1")))["config"]!.AsObject();
        var recorded = RecordedWorld.Fixture("config_dump_all_fields.json").GetProperty("config").EnumerateObject().Select(p => p.Name);
        Assert.Equal(recorded.Except(notOurs, StringComparer.Ordinal).Order(StringComparer.Ordinal), ours.Select(p => p.Key).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Text_HasItsKeysInAlphabeticalOrder()
    {
        var text = Encoding.UTF8.GetString((await new ConfigDump(Settings, new MeshState("n1"), null, null, null).RenderAsync()).Span);
        var keys = JsonDocument.Parse(text).RootElement.EnumerateObject().Select(p => p.Name).ToList();
        Assert.Equal(keys.Order(StringComparer.Ordinal), keys);
        Assert.StartsWith("{\n  \"certificates\": []", text, StringComparison.Ordinal);
    }

    /// <summary>Arrays of the recording whose order means nothing are compared sorted.</summary>
    private static JsonNode? Ordered(JsonNode? node) => node switch
    {
        JsonObject item => new JsonObject(item.OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => KeyValuePair.Create(p.Key, Ordered(p.Value)))),
        JsonArray list => new JsonArray([.. list.Select(Ordered)]),
        _ => node?.DeepClone(),
    };
}
