using Envoy.Service.Discovery.V3;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace Mesh.Xds.Client;

/// <summary>Who asks: the node id and metadata of the first request of each type.</summary>
public sealed record XdsNode
{
    /// <summary>"ztunnel" or "waypoint".</summary>
    public required string Role { get; init; }

    public string InstanceIp { get; init; } = "1.1.1.1";

    public string PodName { get; init; } = string.Empty;

    public string PodNamespace { get; init; } = string.Empty;

    public string NodeName { get; init; } = string.Empty;

    /// <summary>Text metadata (ISTIO_META_* without prefix, proxyMetadata); overrides the standard keys.</summary>
    public IReadOnlyList<(string Key, string Value)> Metadata { get; init; } = [];

    /// <summary>JSON metadata (ISTIO_METAJSON_* without prefix); overrides everything before it.</summary>
    public IReadOnlyList<(string Key, string Json)> JsonMetadata { get; init; } = [];

    /// <summary>Exactly four parts; the suffix is a constant for every control plane, whatever the cluster domain is.</summary>
    public string Id => $"{Role}~{InstanceIp}~{PodName}.{PodNamespace}~{PodNamespace}.svc.cluster.local";

    /// <param name="badMetadata">Told of JSON that does not parse; that key is left out.</param>
    public Node ToProto(Action<string>? badMetadata = null)
    {
        var fields = new Struct();
        Set("NAME", PodName);
        Set("NAMESPACE", PodNamespace);
        Set("INSTANCE_IPS", InstanceIp);
        Set("NODE_NAME", NodeName);
        foreach (var (key, value) in Metadata)
            Set(key, value);
        foreach (var (key, json) in JsonMetadata)
        {
            try
            {
                fields.Fields[key] = JsonParser.Default.Parse<Value>(json);
            }
            catch (Exception e) when (e is InvalidProtocolBufferException or InvalidJsonException)
            {
                badMetadata?.Invoke($"ISTIO_METAJSON_{key} is not JSON and is left out: {e.Message}");
            }
        }

        return new Node { Id = Id, Metadata = fields };

        void Set(string key, string value) => fields.Fields[key] = Value.ForString(value);
    }
}
