using Mesh.Http2;
using Mesh.Net;

namespace Mesh.Hbone;

/// <summary>A tunnel as a transport: TLS and another tunnel connection run inside it (double HBONE across networks).</summary>
/// <remarks>Loop only. What the stream does not take at once waits here; what arrives while receiving is paused waits here and keeps its credit.</remarks>
public sealed class TunnelTransport(Tunnel tunnel) : ITransport, ITunnelHandler, IResumable
{
    private const int CongestionLimit = 256 * 1024;
    private static readonly TimeSpan Linger = TimeSpan.FromSeconds(1);

    private ITransportHandler? _handler;
    private byte[] _out = [];
    private int _outStart;
    private int _outEnd;
    private EarlyData? _held;
    private int _heldLength;
    private bool _paused;
    private bool _wasCongested;
    private bool _peerEnded;
    private bool _closing;
    private bool _closed;

    public EventLoop Loop => tunnel.Connection.Loop;

    public int PendingBytes => _outEnd - _outStart;

    public bool IsCongested => PendingBytes > CongestionLimit;

    bool IResumable.IsResumeQueued { get; set; }

    public void Start(ITransportHandler handler)
    {
        _handler = handler;
        tunnel.Attach(this);
    }

    public void PauseReceiving() => _paused = true;

    public void ResumeReceiving()
    {
        _paused = false;
        if (_heldLength > 0 || _peerEnded)
            Loop.RunNextIteration(this);
    }

    public void Write(ReadOnlyMemory<byte> plaintext)
    {
        if (_closed || tunnel.WriteEnded)
            return;
        var data = plaintext.Span;
        if (PendingBytes == 0)
            data = data[tunnel.Write(data)..];
        if (!data.IsEmpty)
            Keep(data);
    }

    public void CloseAfterFlush()
    {
        if (_closed || _closing)
            return;
        _closing = true;
        EndWhenFlushed();
    }

    public void Abort()
    {
        if (_closed)
            return;
        Release();
        tunnel.Reset(Http2ErrorCode.CANCEL);
    }

    public void Dispose() => Abort();

    void IResumable.Resume()
    {
        if (_closed || _paused)
            return;
        if (_held is { } held)
        {
            _held = null;
            tunnel.Consume(_heldLength);
            _heldLength = 0;
            held.Deliver(new Forward(this), Loop.Buffers);
        }

        if (_peerEnded && !_paused)
            Closed(_closing ? TransportEnding.ClosedHere : TransportEnding.ClosedByPeer, null);
    }

    void ITunnelHandler.OnData(ReadOnlySpan<byte> data)
    {
        if (_closed)
            return;
        if (_paused || _heldLength > 0)
        {
            (_held ??= new EarlyData()).Append(data, Loop.Buffers);
            _heldLength += data.Length;
            return;
        }

        tunnel.Consume(data.Length);
        _handler!.OnReceived(data);
    }

    void ITunnelHandler.OnEndOfData()
    {
        _peerEnded = true;
        if (_heldLength == 0 && !_paused)
            Closed(_closing ? TransportEnding.ClosedHere : TransportEnding.ClosedByPeer, null);
    }

    void ITunnelHandler.OnWritable()
    {
        if (PendingBytes > 0)
        {
            _outStart += tunnel.Write(_out.AsSpan(_outStart, PendingBytes));
            if (PendingBytes > 0)
                return;
            Return();
        }

        if (_closing)
            EndWhenFlushed();
        if (!_wasCongested || _closed)
            return;
        _wasCongested = false;
        _handler!.OnDrained();
    }

    void ITunnelHandler.OnReset(Http2ErrorCode? code, bool byPeer) =>
        Closed(code is null ? TransportEnding.Failed : TransportEnding.Reset, code is null ? "the outer tunnel was lost" : $"the outer stream was reset: {code}");

    private void Keep(ReadOnlySpan<byte> data)
    {
        if (_outEnd + data.Length > _out.Length)
        {
            var larger = Loop.Buffers.Rent(Math.Max(PendingBytes + data.Length, 16 * 1024));
            _out.AsSpan(_outStart, PendingBytes).CopyTo(larger);
            var pending = PendingBytes;
            Return();
            (_out, _outStart, _outEnd) = (larger, 0, pending);
        }

        data.CopyTo(_out.AsSpan(_outEnd));
        _outEnd += data.Length;
        _wasCongested |= IsCongested;
    }

    private void EndWhenFlushed()
    {
        if (PendingBytes > 0 || tunnel.WriteEnded)
            return;
        tunnel.EndWrite();
        Loop.Schedule(Linger, () =>
        {
            if (_closed)
                return;
            tunnel.Reset(Http2ErrorCode.CANCEL);
            Closed(TransportEnding.ClosedHere, null);
        });
    }

    private void Closed(TransportEnding ending, string? detail)
    {
        if (_closed)
            return;
        Release();
        if (!tunnel.Finished)
            tunnel.Reset(Http2ErrorCode.CANCEL);
        _handler?.OnClosed(ending, detail);
    }

    private void Release()
    {
        _closed = true;
        _held?.Drop(Loop.Buffers);
        _held = null;
        Return();
    }

    private void Return()
    {
        if (_out.Length > 0)
            Loop.Buffers.Return(_out);
        (_out, _outStart, _outEnd) = ([], 0, 0);
    }

    /// <summary>Takes what was held and hands it on; it has its credit back already.</summary>
    private sealed class Forward(TunnelTransport owner) : ITunnelHandler
    {
        public void OnData(ReadOnlySpan<byte> data) => owner._handler!.OnReceived(data);

        public void OnEndOfData()
        {
            // Held data has no end of its own.
        }

        public void OnWritable()
        {
            // Only data is forwarded.
        }

        public void OnReset(Http2ErrorCode? code, bool byPeer)
        {
            // Only data is forwarded.
        }
    }
}
