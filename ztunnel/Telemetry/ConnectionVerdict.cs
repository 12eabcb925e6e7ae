using Mesh.Model.Policy;

namespace Mesh.Ztunnel.Telemetry;

/// <summary>Which configuration decided about a connection, and by which rule.</summary>
/// <param name="Snapshot">The number of the change; 0 while nothing is decided.</param>
/// <param name="Outcome">Null: policy is not asked here (outbound).</param>
/// <param name="Policy">The policy that matched.</param>
/// <param name="Steps">Of a refusal: each policy that was tried and what became of it.</param>
internal readonly record struct ConnectionVerdict(long Snapshot, PolicyOutcome? Outcome = null, AuthorizationPolicy? Policy = null, IReadOnlyList<string>? Steps = null)
{
    public string? Text => Outcome switch
    {
        null => null,
        PolicyOutcome.DeniedByPolicy => $"explicitly denied by: {Policy?.QualifiedName}",
        PolicyOutcome.AllowedByPolicy => $"allowed by: {Policy?.QualifiedName}",
        PolicyOutcome.NoPolicyMatched => "allow policies exist, but none allowed",
        _ => "no allow policies, allowed",
    };
}
