using Mesh.Hbone;
using Mesh.Http2;
using Mesh.Model;
using Mesh.Net;

namespace Mesh.Ztunnel.Forwarding;

/// <summary>
/// Bytes between a plain socket and a tunnel, both ways, until both directions have ended. A state machine driven by readiness:
/// no task, no lock, no buffer while nothing moves.
/// </summary>
/// <remarks>
/// <para>Socket to tunnel: the stream lends room right behind a frame header and <c>recv</c> writes into it, so bytes are copied once.
/// No room means no credit or a congested connection: reading stops until <see cref="ITunnelHandler.OnWritable"/>, and the application
/// feels the back-pressure.</para>
/// <para>Tunnel to socket: what the kernel takes at once is never copied; the rest waits in <see cref="_backlog"/>, and its credit goes
/// back to the peer only when it has left, so a slow reader costs at most one stream window.</para>
/// <para>Ends: each direction by itself. End of file becomes END_STREAM, END_STREAM becomes a FIN. A reset stays a reset: of the
/// application as RST_STREAM(CANCEL), of the stream (any code but NO_ERROR) or its connection as a TCP reset, after what had arrived before. The Rust ztunnel makes an
/// orderly end of both, so that half an answer looks like a whole one.</para>
/// Owns neither side: its owner disposes the socket and, after a cut, the tunnel is reset here.
/// </remarks>
internal sealed class DuplexPump : ISocketHandler, ITunnelHandler, IResumable
{
    /// <summary>Bytes one connection may move in one direction before the others get their turn.</summary>
    private const int FairShare = 512 * 1024;

    private readonly LoopSocket _socket;
    private readonly Tunnel _tunnel;
    private readonly ITransferMeter _meter;
    private readonly ByteBudget.PodBudget? _budget;
    private readonly bool _socketIsClient;
    private readonly TimeSpan _halfCloseDeadline;
    private PumpBacklog? _backlog;      // made by the first byte that has to wait
    private HalfCloseWatch? _halfClose; // made by the first end

    private long _moved;
    private ITransferOwner? _owner;
    private Direction _toTunnel = Direction.Open;
    private Direction _toSocket = Direction.Open;
    private bool _socketBroken;
    private bool _resetSocket;
    private bool _completed;
    private TransferResult _result = TransferResult.Ok;

    private enum Direction : byte
    {
        Open,

        /// <summary>The reader saw the end; what is left in the backlog still goes out.</summary>
        Ending,
        Ended,
    }

    /// <param name="budget">What may wait here for a slow application; null: no bound but the stream window.</param>
    /// <param name="socketIsClient">The socket is the side that opened the connection (outbound); otherwise the tunnel is (inbound).</param>
    public DuplexPump(LoopSocket socket, Tunnel tunnel, bool socketIsClient, ITransferMeter meter, TimeSpan halfCloseDeadline, ByteBudget.PodBudget? budget = null)
    {
        _budget = budget;
        _socket = socket;
        _tunnel = tunnel;
        _socketIsClient = socketIsClient;
        _meter = meter;
        _halfCloseDeadline = halfCloseDeadline;
    }

    bool IResumable.IsResumeQueued { get; set; }

    public LoopSocket Socket => _socket;

    /// <summary>Starts; <paramref name="owner"/> is told when both directions have ended or the transfer was cut. Once per pump.</summary>
    public void Start(ITransferOwner owner)
    {
        _owner = owner;
        if (_completed)
        {
            // Cut before it began.
            _socket.Loop.RunNextIteration(this);
            return;
        }
        _socket.Handler = this;
        _tunnel.Attach(this);
        // Bytes may have come before anybody listened.
        ReadSocket();
    }

    /// <summary>Ends both directions at once: the stream with RST_STREAM(CANCEL), the application with a FIN.</summary>
    public void Cut(Ending ending)
    {
        if (_completed)
            return;
        _tunnel.Reset(Http2ErrorCode.CANCEL);
        if (!_socketBroken)
            _socket.ShutdownSend();
        Complete(TransferResult.Cut(ending));
    }

    void ISocketHandler.OnReadable() => ReadSocket();

    void ISocketHandler.OnWritable()
    {
        if (!_completed && _backlog is { Length: > 0 } backlog)
            DrainBacklog(backlog);
    }

    void IResumable.Resume()
    {
        if (!_completed)
        {
            ReadSocket();
            return;
        }
        var owner = _owner;
        _owner = null;
        owner?.Ended(_result);
    }

    void ITunnelHandler.OnWritable() => ReadSocket();

    void ITunnelHandler.OnData(ReadOnlySpan<byte> data)
    {
        if (_completed)
            return;
        var sent = 0;
        if (_backlog is not { Length: > 0 })
        {
            var status = _socket.TrySend(data, out sent);
            if (status == IoStatus.Failed)
            {
                BreakSocket();
                return;
            }
            if (sent > 0)
                Passed(sent);
        }
        if (sent == data.Length)
            return;
        if (_budget?.TryTake(data.Length - sent) == false)
            Cut(Ending.OverBudget);
        else
            (_backlog ??= new PumpBacklog(_socket.Loop.Buffers)).Append(data[sent..]);
    }

    void ITunnelHandler.OnEndOfData()
    {
        if (_toSocket == Direction.Open)
            _toSocket = Direction.Ending;
        EndSocketWhenDrained();
    }

    void ITunnelHandler.OnReset(Http2ErrorCode? code, bool byPeer)
    {
        // Both directions of the stream are gone. What arrived before still reaches the application, then the reset; a FIN where the peer had ended in order.
        if (_toSocket == Direction.Open)
        {
            if (code is null)
                _result = Lost(_tunnel.Connection.LossEnding);
            else if (code is Http2ErrorCode.CANCEL)
                _result = new TransferResult(Ending.PeerReset, TransferSide.Tunnel, null);
            else if (code is not Http2ErrorCode.NO_ERROR)
                _result = new TransferResult(Ending.PeerReset, TransferSide.Tunnel, $"the stream was reset {(byPeer ? "by the peer" : "here")}: {code}");
            _resetSocket = code is not Http2ErrorCode.NO_ERROR;
        }
        StreamGone();
    }

    private static TransferResult Lost(Ending ending) => ending == Ending.TunnelLost
        ? new TransferResult(ending, TransferSide.Tunnel, "the tunnel's connection was lost while the stream was open")
        : TransferResult.Cut(ending);

    private void ReadSocket()
    {
        var moved = 0;
        while (!_completed && _toTunnel == Direction.Open && !_socketBroken)
        {
            if (moved >= FairShare)
            {
                _socket.Loop.RunNextIteration(this);
                return;
            }
            var room = _tunnel.GetBuffer(PumpSizes.Next(_moved));
            if (room.IsEmpty)
                return;
            var status = _socket.TryReceive(room, out var count);
            _tunnel.Commit(count);
            switch (status)
            {
                case IoStatus.Done:
                    moved += count;
                    _moved += count;
                    _halfClose?.Moved();
                    if (_socketIsClient)
                        _meter.Forwarded(count);
                    else
                        _meter.Returned(count);
                    break;
                case IoStatus.WouldBlock:
                    return;
                case IoStatus.EndOfStream:
                    EndTunnel();
                    break;
                default:
                    BreakSocket();
                    break;
            }
        }
    }

    private void EndTunnel()
    {
        _tunnel.EndWrite();
        _toTunnel = Direction.Ended;
        WatchHalfClose();
        FinishIfEnded();
    }

    private void WatchHalfClose()
    {
        _halfClose ??= new HalfCloseWatch(_socket.Loop, _halfCloseDeadline, () => Cut(Ending.HalfCloseDeadline));
        _halfClose.Begin();
    }

    private void DrainBacklog(PumpBacklog backlog)
    {
        while (backlog.Length > 0)
        {
            var status = _socket.TrySend(backlog.First, out var sent);
            if (status == IoStatus.Failed)
            {
                BreakSocket();
                return;
            }
            if (sent > 0)
            {
                backlog.Advance(sent);
                _budget?.Give(sent);
                Passed(sent);
            }
            if (status == IoStatus.WouldBlock)
                return;
        }
        EndSocketWhenDrained();
    }

    /// <summary>Bytes went to the application: count them and give their credit back.</summary>
    private void Passed(int count)
    {
        _tunnel.Consume(count);
        _halfClose?.Moved();
        if (_socketIsClient)
            _meter.Returned(count);
        else
            _meter.Forwarded(count);
    }

    private void EndSocketWhenDrained()
    {
        if (_completed || _toSocket != Direction.Ending || _backlog is { Length: > 0 })
            return;
        _toSocket = Direction.Ended;
        if (_resetSocket)
            _socket.Abort();
        else if (!_socketBroken)
            _socket.ShutdownSend();
        WatchHalfClose();
        FinishIfEnded();
    }

    /// <summary>The application reset its connection: so is the stream, and what was on its way to the application has nobody to go to.</summary>
    private void BreakSocket()
    {
        _socketBroken = true;
        var lost = _backlog?.Clear() ?? 0;
        _budget?.Give(lost);
        _tunnel.Consume(lost);
        if (_result == TransferResult.Ok)
            _result = new TransferResult(Ending.PeerReset, TransferSide.Socket, null);
        _toTunnel = Direction.Ended;
        _toSocket = Direction.Ended;
        _tunnel.Reset(Http2ErrorCode.CANCEL);
        FinishIfEnded();
    }

    private void StreamGone()
    {
        if (_completed)
            return;
        _toTunnel = Direction.Ended;
        if (_toSocket == Direction.Open)
            _toSocket = Direction.Ending;
        // An application that does not read what is left may not keep us for ever.
        WatchHalfClose();
        EndSocketWhenDrained();
        FinishIfEnded();
    }

    private void FinishIfEnded()
    {
        if (!_completed && _toTunnel == Direction.Ended && _toSocket == Direction.Ended)
            Complete(_result);
    }

    private void Complete(TransferResult result)
    {
        _completed = true;
        _socket.Handler = null;
        _halfClose?.Stop();
        _budget?.Give(_backlog?.Clear() ?? 0);
        _result = result;
        // Not from here: somebody above is still at work with this pump.
        _socket.Loop.RunNextIteration(this);
    }
}
