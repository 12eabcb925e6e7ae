using Mesh.Model;
using Mesh.Net;

namespace Mesh.Ztunnel.Forwarding;

/// <summary>Bytes between two plain sockets: the kernel moves them, this only counts and translates the end.</summary>
/// <remarks>The pump owns both sockets. Bytes are reported about once a second while it runs and exactly at the end.</remarks>
internal sealed class PlainPump
{
    private readonly TaskCompletionSource<TransferResult> _completion = new();
    private readonly ITransferMeter _meter;
    private readonly PlainPumps _pumps;
    private readonly SplicePump _pump;
    private readonly LinkedListNode<PlainPump> _entry;
    private long _reportedForward;
    private long _reportedBack;
    private Ending _cut = Ending.Ok;

    private PlainPump(PlainPumps pumps, LoopSocket client, LoopSocket server, ITransferMeter meter, TimeSpan halfCloseDeadline)
    {
        _meter = meter;
        _pumps = pumps;
        _pump = SplicePump.Start(client, server, OnEnded, halfCloseDeadline > TimeSpan.Zero ? halfCloseDeadline : null);
        _entry = pumps.Add(this);
    }

    public Task<TransferResult> Completion => _completion.Task;

    public static PlainPump Start(PlainPumps pumps, LoopSocket client, LoopSocket server, ITransferMeter meter, TimeSpan halfCloseDeadline) =>
        new(pumps, client, server, meter, halfCloseDeadline);

    public void Cut(Ending ending)
    {
        if (_completion.Task.IsCompleted)
            return;
        _cut = ending;
        _pump.Close();
    }

    internal void Count()
    {
        var forward = _pump.FirstToSecond - _reportedForward;
        var back = _pump.SecondToFirst - _reportedBack;
        _reportedForward += forward;
        _reportedBack += back;
        if (forward > 0)
            _meter.Forwarded(forward);
        if (back > 0)
            _meter.Returned(back);
    }

    private void OnEnded(SpliceResult result)
    {
        _pumps.Remove(_entry);
        Count();
        _completion.TrySetResult(_cut != Ending.Ok ? TransferResult.Cut(_cut) : result.Ending switch
        {
            SpliceEnding.Done => TransferResult.Ok,
            // A reset by one of the applications is how applications end, not a failure of the mesh.
            SpliceEnding.Reset => new TransferResult(Ending.PeerReset, TransferSide.Socket, null),
            SpliceEnding.HalfCloseDeadline => TransferResult.Cut(Ending.HalfCloseDeadline),
            SpliceEnding.Aborted => TransferResult.Cut(Ending.Drained),
            _ => new TransferResult(Ending.UpstreamUnreachable, TransferSide.Socket, $"io error: {result.Detail}"),
        });
    }
}
