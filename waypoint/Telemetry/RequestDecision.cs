using System.Text.Json;
using Mesh.Model;
using Mesh.Runtime.Decisions;
using Mesh.Waypoint.Balancing;
using Mesh.Waypoint.Routing;
using Mesh.Waypoint.Transport;

namespace Mesh.Waypoint.Telemetry;

/// <summary>Why one request or connection went where it went and how it ended. Holds what the configuration holds anyway, and no request.</summary>
internal sealed record RequestDecision : IDecision
{
    public required DateTimeOffset Time { get; init; }

    public required bool IsRequest { get; init; }

    public required Ending How { get; init; }

    public required Caller Caller { get; init; }

    public required OriginalDestination Original { get; init; }

    public required long Snapshot { get; init; }

    public required TimeSpan Duration { get; init; }

    public string? TraceId { get; init; }

    /// <summary>Where the request brought a trace of its own: the CONNECT to the endpoint continues that one.</summary>
    public string? UpstreamTraceId { get; init; }

    public Destination? Destination { get; init; }

    public CompiledRoute? Route { get; init; }

    public ClusterState? Cluster { get; init; }

    public EndpointState? Endpoint { get; init; }

    public string? Method { get; init; }

    public string? Authority { get; init; }

    public string? Path { get; init; }

    public int Status { get; init; }

    public string Flags { get; init; } = "-";

    public string? Details { get; init; }

    public string? Failure { get; init; }

    public string? Policy { get; init; }

    public IReadOnlyList<string> Steps { get; init; } = [];

    public int Attempts { get; init; }

    public long BytesReceived { get; init; }

    public long BytesSent { get; init; }

    public TimeSpan? FirstByte { get; init; }

    public string Ending => How.Name();

    public bool IsFrom(string text) => Contains(text, Caller.Address.ToString(), Caller.Spiffe);

    public bool IsTo(string text) =>
        Contains(text, Original.ToString(), Destination?.Hostname, Endpoint?.Text, Endpoint?.Description.WorkloadName, Authority);

    public void Write(Utf8JsonWriter json)
    {
        json.WriteString("time", Time);
        json.WriteString("direction", IsRequest ? "request" : "connection");
        json.WriteString("ending", Ending);
        json.Text("error", Failure is null ? (How == Model.Ending.Ok ? null : Details) : $"{Details}: {Failure}");
        json.Text("trace_id", TraceId);
        json.Text("upstream_trace_id", UpstreamTraceId == TraceId ? null : UpstreamTraceId);
        json.WriteNumber("snapshot", Snapshot);
        json.WriteString("src.addr", Caller.Address.ToString());
        json.Text("src.namespace", Caller.Namespace);
        json.Text("src.identity", Caller.Spiffe);
        json.WriteString("dst.original", Original.ToString());
        json.Text("dst.service", Destination?.Hostname);
        if (Endpoint is { } endpoint)
            Write(json, endpoint);
        json.Text("method", Method);
        json.Text("authority", Authority);
        json.Text("path", Path);
        if (IsRequest)
            json.WriteNumber("status", Status);
        json.WriteString("response_flags", Flags);
        json.Text("route_name", Route?.Name);
        json.Text("route_origin", Route?.Origin);
        json.Text("cluster", Cluster?.Name);
        json.Text("policy", Policy);
        json.Texts("steps", Steps);
        json.WriteNumber("attempts", Attempts);
        json.WriteNumber("bytes_forwarded", BytesReceived);
        json.WriteNumber("bytes_returned", BytesSent);
        json.Milliseconds("first_byte_ms", FirstByte);
        json.Milliseconds("total_ms", Duration);
    }

    private static void Write(Utf8JsonWriter json, EndpointState endpoint)
    {
        var description = endpoint.Description;
        json.Text("dst.workload", description.WorkloadName);
        json.Text("dst.namespace", description.WorkloadNamespace);
        json.Text("dst.identity", description.Identities.Count > 0 ? description.Identities[0] : null);
        json.Text("dst.addr", endpoint.Text);
        json.Text("route", description.Hbone ? "tunnel" : "plain");
    }

    private static bool Contains(string wanted, params ReadOnlySpan<string?> candidates)
    {
        foreach (var candidate in candidates)
        {
            if (candidate?.Contains(wanted, StringComparison.Ordinal) == true)
                return true;
        }

        return false;
    }
}
