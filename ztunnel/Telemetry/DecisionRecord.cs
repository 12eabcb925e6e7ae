using System.Net;
using Mesh.Model;

namespace Mesh.Ztunnel.Telemetry;

/// <summary>Why one connection went where it went and how it ended.</summary>
internal sealed record DecisionRecord(
    long Number,
    DateTimeOffset Time,
    bool IsOutbound,
    IPEndPoint Source,
    IPEndPoint Destination,
    ConnectionContext? Context,
    Ending Ending,
    string? Error,
    IReadOnlyList<string>? Steps,
    long BytesForwarded,
    long BytesReturned,
    TimeParts Times,
    string? TraceId)
{
    /// <summary>Query of <c>GET /decisions</c>: every given part must be found in the record.</summary>
    public bool Matches(string? source, string? destination, string? id, string? ending) =>
        (source is null || Contains(source, Source.ToString(), Context?.SourceName, Context?.SourceIdentity?.ToString(), Context?.ClientIdentity?.ToString()))
        && (destination is null || Contains(destination, Destination.ToString(), Context?.DestinationName, Context?.HboneTarget, Context?.Service?.Hostname, Context?.DestinationIdentity?.ToString()))
        && (id is null || TraceId == id)
        && (ending is null || Ending.Name() == ending);

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
