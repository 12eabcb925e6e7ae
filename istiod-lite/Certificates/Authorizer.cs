using Mesh.IstiodLite.Resources;
using Mesh.Model;

namespace Mesh.IstiodLite.Certificates;

/// <summary>Decides which identity a caller may have (reference: istiod 6.3). Pure.</summary>
internal static class Authorizer
{
    /// <summary>The identity to issue, or null with the reason.</summary>
    /// <param name="caller">As authenticated.</param>
    /// <param name="impersonated">The identity that the request names; null: the caller's own.</param>
    /// <param name="resources">What is in force.</param>
    /// <param name="trustDomain">Of the mesh.</param>
    /// <param name="systemNamespace">Where node agents belong.</param>
    /// <param name="reason">Why not.</param>
    public static SpiffeId? Decide(Caller caller, string? impersonated, ResourceSet resources, string trustDomain, string systemNamespace, out string reason)
    {
        reason = string.Empty;
        var own = caller switch
        {
            WorkloadCaller w => new SpiffeId(trustDomain, w.Namespace, w.ServiceAccount),
            NodeCaller { Account: { } account } => new SpiffeId(trustDomain, account.Namespace, account.Name),
            _ => new SpiffeId(trustDomain, systemNamespace, "ztunnel"),
        };
        if (string.IsNullOrEmpty(impersonated))
            return own;
        if (!SpiffeId.TryParse(impersonated, out var wanted))
        {
            reason = $"\"{impersonated}\" is not a SPIFFE identity of a workload";
            return null;
        }
        if (wanted == own)
            return own;
        if (wanted.TrustDomain != trustDomain)
        {
            reason = $"{wanted} is of the trust domain {wanted.TrustDomain}, this mesh is {trustDomain}";
            return null;
        }
        if (caller is not NodeCaller node)
        {
            reason = $"{caller.Name} may only have its own identity, not {wanted}";
            return null;
        }
        foreach (var pod in resources.Pods)
        {
            if (pod.NodeName == node.Node && pod.Namespace == wanted.Namespace && pod.ServiceAccountOrDefault == wanted.ServiceAccount && !pod.IsTerminal)
                return wanted;
        }
        reason = $"no pod of {wanted.Namespace}/{wanted.ServiceAccount} is scheduled on {node.Node}";
        return null;
    }
}
