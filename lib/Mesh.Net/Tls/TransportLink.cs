using Mesh.Net.Loop;

namespace Mesh.Net.Tls;

/// <summary>Ciphertext over another transport: TLS inside a tunnel (double HBONE).</summary>
/// <remarks>
/// The layer below pushes, TLS pulls: what comes is queued and read in a later turn, so that the layer below is never entered again while it lends its bytes.
/// </remarks>
internal sealed class TransportLink : CipherLink, ITransportHandler, IResumable
{
    /// <summary>Ciphertext kept before the layer below is paused: a few records of 16 KiB.</summary>
    private const int InputLimit = 64 * 1024;

    private readonly ITransport _below;
    private ByteQueue _input;
    private ByteQueue _output;
    private ICipherOwner? _owner;
    private Action? _done;
    private TransportEnding? _ending;
    private string? _detail;
    private bool _paused;

    internal TransportLink(ITransport below)
    {
        _below = below;
        _input = new ByteQueue(below.Loop.Buffers);
        _output = new ByteQueue(below.Loop.Buffers);
    }

    bool IResumable.IsResumeQueued { get; set; }

    internal override EventLoop Loop => _below.Loop;

    internal override LoopSocket? Socket => null;

    internal override int PendingBytes => _below.PendingBytes + _output.Length;

    internal override bool IsCongested => _below.IsCongested;

    internal override bool IsBroken => _ending is not (null or TransportEnding.ClosedByPeer);

    internal override (TransportEnding Ending, string Detail) Failure => (_ending ?? TransportEnding.Failed, _detail ?? $"the transport below ended: {_ending}");

    internal override void Start(ICipherOwner owner)
    {
        _owner = owner;
        _below.Start(this);
    }

    internal override void Reserve(int count) => _output.Reserve(count);

    internal override void Send()
    {
        if (_output.Length > 0 && _ending is null)
            _below.Write(_output.PendingMemory);
        _output.Release();
    }

    internal override void CloseAfterFlush(Action? done)
    {
        _owner = null;
        _done = done;
        Send();
        _input.Release();
        if (_ending is not null)
            Loop.RunNextIteration(this);
        else
            _below.CloseAfterFlush();
    }

    internal override void Abort()
    {
        _owner = null;
        _input.Release();
        _output.Release();
        _below.Abort();
    }

    void ITransportHandler.OnReceived(ReadOnlySpan<byte> data)
    {
        if (_owner is null)
            return;
        _input.Append(data);
        if (_input.Length > InputLimit && !_paused)
        {
            _paused = true;
            _below.PauseReceiving();
        }

        Loop.RunNextIteration(this);
    }

    void ITransportHandler.OnDrained() => _owner?.OnCipherDrained();

    void ITransportHandler.OnClosed(TransportEnding ending, string? detail)
    {
        _ending = ending;
        _detail = detail;
        Loop.RunNextIteration(this);
    }

    void IResumable.Resume()
    {
        if (_owner is not null)
        {
            _owner.OnCipherReadable();
            return;
        }

        var done = _ending is null ? null : _done;
        if (done is not null)
            _done = null;
        done?.Invoke();
    }

    internal override void Append(ReadOnlySpan<byte> ciphertext)
    {
        _output.Append(ciphertext);
        if (SendAtOnce)
            Send();
    }

    private protected override IoStatus TryRead(Span<byte> buffer, out int count)
    {
        count = 0;
        if (_input.Length == 0)
            return _ending is null ? IoStatus.WouldBlock : IsBroken ? IoStatus.Failed : IoStatus.EndOfStream;
        count = Math.Min(buffer.Length, _input.Length);
        _input.Pending[..count].CopyTo(buffer);
        _input.Advance(count);
        if (_paused && _input.Length <= InputLimit / 2)
        {
            _paused = false;
            _below.ResumeReceiving();
        }

        return IoStatus.Done;
    }
}
