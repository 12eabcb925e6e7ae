using Mesh.Model.Workloads;

namespace Mesh.Model.Policy;

/// <summary>Decides whether a connection may reach a workload. A pure function of snapshot, workload and facts.</summary>
/// <remarks>
/// (1) a DENY in dry run is only noted  (2) any DENY refuses  (3) an ALLOW in dry run is only noted  (4) without ALLOW policies in force all pass
/// (5) any ALLOW lets pass  (6) otherwise refused.
/// </remarks>
public static class PolicyEvaluator
{
    public static PolicyDecision Evaluate(MeshSnapshot snapshot, Workload destination, in ConnectionFacts facts, bool trace = false)
    {
        var run = new EvaluationRun(snapshot, destination, facts, trace ? [] : null);
        return run.Decide();
    }
}
