using System.Security.Cryptography.X509Certificates;
using Mesh.Runtime.Decisions;
using Mesh.Ztunnel.Local;

namespace Mesh.Ztunnel.Pods;

/// <summary>What serves one pod: its listeners and the connections that came in through them.</summary>
internal interface IPodProxy
{
    /// <summary>Pod deleted: listeners and connections end now.</summary>
    Task StopAsync();

    /// <summary>Puts right what somebody changed in the pod's namespace.</summary>
    /// <returns>True if there was something to repair.</returns>
    Task<bool> RepairAsync() => Task.FromResult(false);

    /// <summary>Process stops: listeners close now, connections may finish until the forced end.</summary>
    Task DrainAsync(CancellationToken forced);

    /// <summary>Ends tunnel connections whose peer's certificate was taken back.</summary>
    Task RevokeAsync(Func<IReadOnlyList<X509Certificate2>, bool> isRevoked);

    /// <summary>For <c>/config_dump</c>.</summary>
    Task<PodConnections> ListConnectionsAsync();

    /// <summary>Open connections that match, at most <see cref="DecisionQuery.Limit"/> of each loop.</summary>
    Task<IReadOnlyList<IDecision>> FindOpenAsync(DecisionQuery query);
}

/// <summary>Makes the proxy of a pod. Fails with an exception whose message goes into the pod source's error answer.</summary>
internal interface IPodProxyFactory
{
    Task<IPodProxy> StartAsync(string uid, PodInfo info, PodNetwork network);
}

/// <summary>Open connections of one pod, newest last.</summary>
internal sealed record PodConnections(IReadOnlyList<PodConnection> Inbound, IReadOnlyList<PodConnection> Outbound);

/// <summary>One open connection as <c>/config_dump</c> shows it.</summary>
internal sealed record PodConnection(string Source, string? OriginalDestination, string ActualDestination, string Protocol);
