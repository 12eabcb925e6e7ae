namespace Mesh.Ztunnel.Forwarding;

/// <summary>Told of every piece that was passed on, while the connection lives. Called on the connection's loop.</summary>
internal interface ITransferMeter
{
    /// <summary>From the client towards the server.</summary>
    void Forwarded(long bytes);

    /// <summary>From the server back to the client.</summary>
    void Returned(long bytes);
}
