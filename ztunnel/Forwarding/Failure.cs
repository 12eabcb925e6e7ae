using Mesh.Model;

namespace Mesh.Ztunnel.Forwarding;

/// <summary>Why a connection could not be made or continued: the value for machines, the sentence for people, the flag for dashboards.</summary>
/// <param name="Flag">Null: the one that belongs to <paramref name="Ending"/>.</param>
/// <param name="PeerReason">What the next hop stated when it refused: a value of the closed set.</param>
internal readonly record struct Failure(Ending Ending, string Text, string? Flag = null, string? PeerReason = null)
{
    /// <summary>A SYN to 15008 without any answer is nearly always a NetworkPolicy that forgot the mesh's port.</summary>
    public const string NetworkPolicyFlag = "NETWORK_POLICY";

    public static Failure SelfCall => new(Ending.SelfCall, "attempted recursive call to ourselves");
}
