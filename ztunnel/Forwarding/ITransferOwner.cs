namespace Mesh.Ztunnel.Forwarding;

/// <summary>Whose bytes a pump moves. A call instead of an awaited result: a state machine that only waits would be a sixth of what an idle connection weighs.</summary>
internal interface ITransferOwner
{
    /// <summary>Both directions have ended, or the transfer was cut. Once, on the loop, in an iteration after the last call of the pump's.</summary>
    void Ended(TransferResult result);
}
