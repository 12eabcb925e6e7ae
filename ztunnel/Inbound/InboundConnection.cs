using Mesh.Model;
using Mesh.Model.Policy;
using Mesh.Model.Workloads;
using Mesh.Runtime.Decisions;
using Mesh.Ztunnel.Forwarding;
using Mesh.Ztunnel.Local;
using Mesh.Ztunnel.Telemetry;

namespace Mesh.Ztunnel.Inbound;

/// <summary>What all that arrives for a pod has in common: policy is asked about it, and asked again when it changes.</summary>
internal abstract class InboundConnection(PodLane lane, InboundAuthorizer authorizer, ConnectionReport report) : TrackedConnection
{
    public override IDecision Decision => Report.Sofar();

    public override ConnectionFacts? Facts => IsUnderPolicy ? Report.Facts : null;

    protected PodLane Lane { get; } = lane;

    protected InboundAuthorizer Authorizer { get; } = authorizer;

    protected ConnectionReport Report { get; } = report;

    /// <summary>The report knows who and where to: from here on a policy that changes is asked about this connection.</summary>
    protected bool IsUnderPolicy { get; set; }

    public override void Forbid(MeshSnapshot mesh, Workload destination, in PolicyDecision decision)
    {
        if (Facts is { } facts)
            Report.Verdict = new ConnectionVerdict(mesh.Version, decision.Outcome, decision.Policy, InboundAuthorizer.Explain(mesh, destination, facts));
        Cut(Ending.PolicyChanged);
    }
}
