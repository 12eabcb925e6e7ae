using Mesh.Model;
using Mesh.Model.Policy;
using Mesh.Model.Workloads;
using Mesh.Runtime.Decisions;

namespace Mesh.Ztunnel.Forwarding;

/// <summary>A connection that can be looked at and ended from outside. Members are for its own loop.</summary>
internal interface ITrackedConnection
{
    /// <summary>As <c>/config_dump</c> shows it; null while nothing is decided.</summary>
    ConnectionSummary? Summary { get; }

    /// <summary>What is decided about it so far.</summary>
    IDecision Decision { get; }

    /// <summary>Null: no policy applies to it (outbound).</summary>
    ConnectionFacts? Facts { get; }

    /// <summary>A policy that came later forbids it: it ends, and says by which.</summary>
    void Forbid(MeshSnapshot mesh, Workload destination, in PolicyDecision decision) => Cut(Ending.PolicyChanged);

    /// <summary>Ends it. Safe in every phase and more than once.</summary>
    void Cut(Ending ending);
}

/// <summary>One open connection as people see it.</summary>
internal sealed record ConnectionSummary(string Source, string? OriginalDestination, string ActualDestination, string Protocol);
