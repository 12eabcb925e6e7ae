using Mesh.Model;
using Mesh.Model.Policy;
using Mesh.Model.Workloads;
using Mesh.Runtime.Decisions;

namespace Mesh.Ztunnel.Forwarding;

/// <summary>A connection that can be looked at and ended from outside. Members are for its own loop.</summary>
internal abstract class TrackedConnection
{
    // The tracker's: a list through the connections themselves, because a node of its own would weigh as much as all three.
    internal ConnectionTracker? Tracker;
    internal TrackedConnection? Newer;
    internal TrackedConnection? Older;

    /// <summary>As <c>/config_dump</c> shows it; null while nothing is decided.</summary>
    public abstract ConnectionSummary? Summary { get; }

    /// <summary>What is decided about it so far.</summary>
    public abstract IDecision Decision { get; }

    /// <summary>Null: no policy applies to it (outbound, or not decided yet).</summary>
    public virtual ConnectionFacts? Facts => null;

    protected bool IsCut { get; private set; }

    /// <summary>A policy that came later forbids it: it ends, and says by which.</summary>
    public virtual void Forbid(MeshSnapshot mesh, Workload destination, in PolicyDecision decision) => Cut(Ending.PolicyChanged);

    /// <summary>Ends it. Safe in every phase and more than once.</summary>
    public void Cut(Ending ending)
    {
        if (IsCut)
            return;
        IsCut = true;
        End(ending);
    }

    /// <summary>Called once.</summary>
    protected abstract void End(Ending ending);
}

/// <summary>One open connection as people see it.</summary>
internal sealed record ConnectionSummary(string Source, string? OriginalDestination, string ActualDestination, string Protocol);
