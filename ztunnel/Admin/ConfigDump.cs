using System.Text.Json;
using System.Text.Json.Nodes;
using Mesh.Identity.Fetching;
using Mesh.Model;
using Mesh.Ztunnel.Pods;
using Mesh.Ztunnel.Settings;

namespace Mesh.Ztunnel.Admin;

/// <summary><c>/config_dump</c>: everything that decisions rest on, in the shape that <c>istioctl ztunnel-config</c> reads. Keys are in alphabetical order.</summary>
internal sealed class ConfigDump(ZtunnelSettings settings, MeshState mesh, CertificateCache? certificates, PodManager? pods, MeshSnapshot? staticConfig)
{
    private static readonly JsonWriterOptions Pretty = new()
    {
        Indented = true,
        // The page is JSON for people and tools, not HTML: "+" in base64 stays "+".
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    public async Task<ReadOnlyMemory<byte>> RenderAsync()
    {
        var snapshot = mesh.Current;
        var root = new JsonObject
        {
            ["certificates"] = CertificateDump.Of(certificates?.Statuses ?? []),
            ["config"] = SettingsDump.Of(settings),
            ["policies"] = PolicyDump.Of(snapshot),
            ["services"] = ServiceDump.Services(snapshot),
            ["stagedServices"] = ServiceDump.Staged(snapshot),
            ["staticConfig"] = StaticConfig(),
            ["version"] = VersionDump.Of(settings.Self.IstioVersion),
            ["workloads"] = WorkloadDump.Of(snapshot),
        };
        if (pods is not null && settings.Mode == ProxyMode.Shared)
            root["workloadState"] = PodDump(await pods.ListAsync());
        return Write(root);
    }

    internal static ReadOnlyMemory<byte> Write(JsonObject root)
    {
        var buffer = new System.Buffers.ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, Pretty))
            WriteSorted(json, root);
        return buffer.WrittenMemory;
    }

    private JsonObject StaticConfig()
    {
        var loaded = staticConfig ?? MeshSnapshot.Empty();
        return new JsonObject
        {
            ["policies"] = PolicyDump.Of(loaded),
            ["services"] = ServiceDump.Services(loaded),
            ["workloads"] = WorkloadDump.Of(loaded),
        };
    }

    internal static JsonObject PodDump(IReadOnlyList<PodState> states)
    {
        var dump = new JsonObject();
        foreach (var state in states)
        {
            dump[state.Uid] = new JsonObject
            {
                ["state"] = state.IsUp ? "Up" : "Pending",
                ["info"] = new JsonObject { ["name"] = state.Info.Name, ["namespace"] = state.Info.Namespace, ["serviceAccount"] = state.Info.ServiceAccount },
                ["connections"] = new JsonObject { ["inbound"] = Connections(state.Connections.Inbound), ["outbound"] = Connections(state.Connections.Outbound) },
            };
        }
        return dump;
    }

    private static JsonArray Connections(IReadOnlyList<PodConnection> connections) => new([.. connections.Select(c => new JsonObject
    {
        ["src"] = c.Source,
        ["originalDst"] = c.OriginalDestination,
        ["actualDst"] = c.ActualDestination,
        ["protocol"] = c.Protocol,
    })]);

    private static void WriteSorted(Utf8JsonWriter json, JsonNode? node)
    {
        switch (node)
        {
            case JsonObject item:
                json.WriteStartObject();
                foreach (var (name, value) in item.OrderBy(p => p.Key, StringComparer.Ordinal))
                {
                    json.WritePropertyName(name);
                    WriteSorted(json, value);
                }
                json.WriteEndObject();
                break;
            case JsonArray list:
                json.WriteStartArray();
                foreach (var value in list)
                    WriteSorted(json, value);
                json.WriteEndArray();
                break;
            case null:
                json.WriteNullValue();
                break;
            default:
                node.WriteTo(json);
                break;
        }
    }
}
