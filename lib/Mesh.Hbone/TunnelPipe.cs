using System.IO.Pipelines;
using Mesh.Http2;
using Mesh.Net;

namespace Mesh.Hbone;

/// <summary>A tunnel as a duplex pipe, for Kestrel and for anything else that may call from other threads.</summary>
/// <remarks>
/// Input: a reader that waits gets what arrives at once; what nobody waits for is kept, and its stream credit with it, so back-pressure reaches the
/// peer and no more than a window is ever kept. Output: a flush on the loop writes straight into the stream.
/// </remarks>
public sealed class TunnelPipe : LoopPipe, ITunnelHandler, ILoopPipeSource, ILoopPipeSink
{
    private readonly Tunnel _tunnel;
    private readonly LoopPipeReader _input;
    private readonly LoopPipeWriter _output;
    private readonly TaskCompletionSource _closed = new();
    private readonly TaskCompletionSource _peerEnded = new();
    private readonly EarlyData _kept = new();
    private bool _inputEnded;
    private Exception? _failure;

    private TunnelPipe(Tunnel tunnel)
    {
        _tunnel = tunnel;
        _input = new LoopPipeReader(tunnel.Connection.Loop, this);
        _output = new LoopPipeWriter(tunnel.Connection.Loop, this);
    }

    public override EventLoop Loop => _tunnel.Connection.Loop;

    public override PipeReader Input => _input;

    public override PipeWriter Output => _output;

    /// <summary>Completes when the tunnel is over in both directions, on its loop.</summary>
    public Task Closed => _closed.Task;

    /// <summary>Completes when the peer has ended its direction or the tunnel was reset, even while nobody reads; on the loop.</summary>
    public override Task PeerEnded => _peerEnded.Task;

    /// <summary>Attaches to the tunnel; on its loop.</summary>
    public static TunnelPipe Attach(Tunnel tunnel)
    {
        var pipe = new TunnelPipe(tunnel);
        tunnel.Attach(pipe);
        return pipe;
    }

    /// <summary>Cuts the stream; any thread.</summary>
    public override void Abort(Exception? reason = null) => _tunnel.Connection.Loop.Post(() =>
    {
        _tunnel.Reset(Http2ErrorCode.CANCEL);
        OnReset(Http2ErrorCode.CANCEL, byPeer: false, reason);
    });

    /// <summary>The user is done: an end where the peer has ended too, a reset where data was still to come; any thread.</summary>
    public override void Close()
    {
        _output.CompleteFlushed();
        Input.Complete();
        _tunnel.Connection.Loop.Post(() =>
        {
            // Nobody will read it. Where both sides have ended in order there is no reset that would give its credit back to the connection.
            _tunnel.Consume(_kept.Length);
            _kept.Drop(Loop.Buffers);
            if (!_inputEnded)
                OnReset(Http2ErrorCode.CANCEL, byPeer: false, null);
            if (!_tunnel.Finished)
                _tunnel.Reset(Http2ErrorCode.CANCEL);
        });
    }

    bool ILoopPipeSource.MayReceive => _kept.Length > 0 || _inputEnded;

    Exception ILoopPipeSource.Failure => _failure!;

    IoStatus ILoopPipeSource.Receive(Span<byte> room, out int count)
    {
        count = _kept.Take(room, Loop.Buffers);
        if (count == 0)
            return _failure is not null ? IoStatus.Failed : _inputEnded ? IoStatus.EndOfStream : IoStatus.WouldBlock;
        _tunnel.Consume(count);
        return IoStatus.Done;
    }

    void ITunnelHandler.OnData(ReadOnlySpan<byte> data)
    {
        if (_inputEnded)
            return;

        // Who reads no more gets no more; the credit goes back so that the peer can end.
        if (_input.IsCompleted || (_kept.Length == 0 && _input.TryTake(data)))
            _tunnel.Consume(data.Length);
        else
            _kept.Append(data, Loop.Buffers);
    }

    void ITunnelHandler.OnEndOfData()
    {
        // First: a reader that meets the end may ask why.
        _peerEnded.TrySetResult();
        EndInput(null);
        CheckClosed();
    }

    void ITunnelHandler.OnWritable() => _output.OnWritable();

    int ILoopPipeSink.Send(ReadOnlySpan<byte> data) => _tunnel.IsReset ? -1 : _tunnel.Write(data);

    void ILoopPipeSink.EndSending()
    {
        _tunnel.EndWrite();
        CheckClosed();
    }

    // The peer must not take it for a clean end.
    void ILoopPipeSink.FailSending(Exception reason)
    {
        _tunnel.Reset(Http2ErrorCode.CANCEL);
        OnReset(Http2ErrorCode.CANCEL, byPeer: false, reason);
    }

    void ITunnelHandler.OnReset(Http2ErrorCode? code, bool byPeer) => OnReset(code, byPeer, null);

    private void OnReset(Http2ErrorCode? code, bool byPeer, Exception? reason)
    {
        _peerEnded.TrySetResult();
        EndInput(reason ?? new TunnelResetException(code, byPeer));
        _output.Break();
        _closed.TrySetResult();
    }

    private void EndInput(Exception? reason)
    {
        if (_inputEnded)
            return;
        _inputEnded = true;
        _failure = reason;
        if (reason is not null)
            _kept.Drop(Loop.Buffers);
        _input.Pump();
    }

    private void CheckClosed()
    {
        if (_inputEnded && _tunnel.WriteEnded)
            _closed.TrySetResult();
    }
}
