using Mesh.Model;

namespace Mesh.Ztunnel.Forwarding;

/// <summary>Which end of a transfer failed.</summary>
internal enum TransferSide
{
    None,
    Socket,
    Tunnel,
}

/// <summary>How a transfer ended. <see cref="Error"/> is text for people, null for an end in order.</summary>
internal readonly record struct TransferResult(Ending Ending, TransferSide FailedSide, string? Error)
{
    public static readonly TransferResult Ok = new(Ending.Ok, TransferSide.None, null);

    /// <summary>Cut by us: <paramref name="ending"/> says why.</summary>
    public static TransferResult Cut(Ending ending) => new(ending, TransferSide.None, ending switch
    {
        Ending.PolicyChanged => "connection closed due to policy change",
        Ending.CertificateRevoked => "connection closed due to certificate revocation",
        Ending.HalfCloseDeadline => "one side had ended and nothing moved until the deadline",
        Ending.OverBudget => "connection closed because the byte budget is used up",
        _ => "connection closed due to connection drain",
    });
}
