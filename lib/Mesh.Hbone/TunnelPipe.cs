using System.IO.Pipelines;
using Mesh.Http2;
using Mesh.Net;

namespace Mesh.Hbone;

/// <summary>A tunnel as a duplex pipe, for Kestrel and for anything else that may call from other threads.</summary>
/// <remarks>
/// Input: the loop writes what arrives and gives stream credit back only while the reader keeps up (pause at 64 KiB, resume at 32 KiB), so
/// back-pressure reaches the peer. Output: a flush on the loop writes straight into the stream.
/// </remarks>
public sealed class TunnelPipe : LoopPipe, ITunnelHandler, ILoopPipeSink
{
    private const int PauseThreshold = 64 * 1024;
    private const int ResumeThreshold = 32 * 1024;

    private readonly Tunnel _tunnel;
    private readonly Pipe _input;
    private readonly LoopPipeWriter _output;
    private readonly TaskCompletionSource _closed = new();
    private readonly TaskCompletionSource _peerEnded = new();
    private int _unconsumed;
    private bool _flushing;
    private bool _writtenWhileFlushing;
    private bool _inputEnded;
    private bool _endsAfterFlush;
    private Exception? _endReason;

    private TunnelPipe(Tunnel tunnel)
    {
        _tunnel = tunnel;
        var scheduler = new LoopPipeScheduler(tunnel.Connection.Loop);
        _input = new Pipe(new PipeOptions(readerScheduler: scheduler, writerScheduler: scheduler, pauseWriterThreshold: PauseThreshold,
            resumeWriterThreshold: ResumeThreshold, useSynchronizationContext: false));
        _output = new LoopPipeWriter(tunnel.Connection.Loop, this);
    }

    public override EventLoop Loop => _tunnel.Connection.Loop;

    public override PipeReader Input => _input.Reader;

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
            if (!_inputEnded)
                OnReset(Http2ErrorCode.CANCEL, byPeer: false, null);
            if (!_tunnel.Finished)
                _tunnel.Reset(Http2ErrorCode.CANCEL);
        });
    }

    void ITunnelHandler.OnData(ReadOnlySpan<byte> data)
    {
        if (_inputEnded)
            return;
        data.CopyTo(_input.Writer.GetSpan(data.Length));
        _input.Writer.Advance(data.Length);
        _unconsumed += data.Length;
        if (_flushing)
        {
            // The reader is behind; the credit stays with us until it has caught up, and then these bytes are handed over as well.
            _writtenWhileFlushing = true;
            return;
        }

        var flush = _input.Writer.FlushAsync();
        if (flush.IsCompletedSuccessfully)
            Flushed(flush.Result);
        else
            AwaitFlush(flush);
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

    /// <summary>
    /// Completing a pipe commits what was written, and a commit that crosses the threshold takes back the completion of a flush whose continuation
    /// has not run yet: while one is under way its continuation is what completes.
    /// </summary>
    private void EndInput(Exception? reason)
    {
        if (_inputEnded)
            return;
        _inputEnded = true;
        if (!_flushing)
        {
            _input.Writer.Complete(reason);
            return;
        }

        (_endsAfterFlush, _endReason) = (true, reason);
        // A reset does not wait until the reader has room.
        if (reason is not null)
            _input.Writer.CancelPendingFlush();
    }

    private async void AwaitFlush(ValueTask<FlushResult> flush)
    {
        _flushing = true;
        var result = await flush;
        while (_writtenWhileFlushing && !result.IsCompleted && !_inputEnded)
        {
            _writtenWhileFlushing = false;
            result = await _input.Writer.FlushAsync();
        }

        _flushing = false;
        if (_endsAfterFlush)
            _input.Writer.Complete(_endReason);
        Flushed(result);
    }

    private void Flushed(FlushResult result)
    {
        var credit = _unconsumed;
        _unconsumed = 0;
        _tunnel.Consume(credit);
        if (result.IsCompleted && !_inputEnded)
        {
            // The application stopped reading: what still arrives is dropped, its credit goes back so that the peer can end.
            _inputEnded = true;
            _input.Writer.Complete();
        }
    }

    private void CheckClosed()
    {
        if (_inputEnded && _tunnel.WriteEnded)
            _closed.TrySetResult();
    }
}
