using System.Collections.Concurrent;
using Mesh.Hbone;

namespace Mesh.Waypoint.Routing;

/// <summary>
/// What the client's node says about the client's workload in its CONNECT: for labels of metrics, never for a decision. One object per distinct
/// statement, so that a series is found by reference.
/// </summary>
internal sealed class ClientLabels
{
    // As many workloads as one waypoint may plausibly have for clients; above it clients stay unnamed instead of filling the memory.
    private const int MostKept = 10_000;
    private const string Unknown = "unknown";

    public static readonly ClientLabels None = new(Baggage.Empty);

    private static readonly ConcurrentDictionary<string, ClientLabels> Kept = new(StringComparer.Ordinal);

    private ClientLabels(Baggage baggage)
    {
        Workload = baggage.WorkloadName ?? Unknown;
        Service = baggage.ServiceName ?? Unknown;

        // Istio's word for an absent revision on the source's side (reference 5.6).
        Revision = baggage.ServiceVersion ?? (baggage.ServiceName is null ? Unknown : "latest");
        Cluster = baggage.ClusterId ?? Unknown;
    }

    public string Workload { get; }

    /// <summary>Canonical service, which is the app.</summary>
    public string Service { get; }

    public string Revision { get; }

    public string Cluster { get; }

    /// <param name="text">The <c>baggage</c> header; null: there was none.</param>
    public static ClientLabels Of(string? text)
    {
        if (string.IsNullOrEmpty(text))
            return None;
        if (Kept.TryGetValue(text, out var labels))
            return labels;
        return Kept.Count >= MostKept ? None : Kept.GetOrAdd(text, static t => new ClientLabels(Baggage.Parse([t])));
    }
}
