using Mesh.Net.Tls;

namespace Mesh.Net;

public sealed partial class TlsTransport
{
    /// <summary>Largest plaintext of a record (RFC 8446, 5.1).</summary>
    internal const int RecordSize = 16 * 1024;

    /// <summary>Record header, content type, authentication tag and what older suites add, rounded up.</summary>
    private const int RecordOverhead = 64;

    /// <summary>Plaintext encrypted before a send: its ciphertext fits a 256 KiB buffer of the pool.</summary>
    private const int ChunkSize = 15 * RecordSize;

    /// <inheritdoc/>
    public void Start(ITransportHandler handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        if (_stage != Stage.Ready)
            throw new InvalidOperationException($"A transport is started once, after its handshake; it is {_stage}.");
        _stage = Stage.Started;
        _handler = handler;
        Loop.RunNextIteration(this);
    }

    /// <inheritdoc/>
    public void Write(ReadOnlyMemory<byte> plaintext)
    {
        if (_stage is not (Stage.Ready or Stage.Started))
        {
            if (_stage is Stage.New or Stage.Handshaking)
                throw new InvalidOperationException("Nothing can be written before the handshake is finished.");
            return;
        }

        // One record goes out from where OpenSSL encrypted it; several are collected for one send.
        var rest = plaintext.Span;
        while (!rest.IsEmpty && !_link.IsBroken && _writeFailure is null)
        {
            var chunk = rest[..Math.Min(rest.Length, ChunkSize)];
            _link.SendAtOnce = chunk.Length <= RecordSize;
            if (!_link.SendAtOnce)
                _link.Reserve(chunk.Length + (((chunk.Length / RecordSize) + 2) * RecordOverhead));
            if (_session!.Write(chunk) != TlsStatus.Done)
                _writeFailure = TlsErrors.TakeText();
            if (!_link.SendAtOnce)
                _link.Send();
            _link.SendAtOnce = true;
            rest = rest[chunk.Length..];
        }

        // Told in a later turn: the caller is in the middle of something.
        if (_link.IsBroken || _writeFailure is not null)
            Loop.RunNextIteration(this);
    }

    void IResumable.Resume()
    {
        if (_writeFailure is not null)
        {
            Finish(TransportEnding.TlsFailure, _writeFailure);
            return;
        }

        ((ICipherOwner)this).OnCipherReadable();
    }

    void ICipherOwner.OnCipherReadable()
    {
        if (_stage == Stage.Handshaking)
        {
            AdvanceHandshake();
            return;
        }

        if (_stage != Stage.Started)
            return;
        ReadLoop();

        // Last: what the peer said before it broke the connection may be its reason.
        if (_link.IsBroken && _stage == Stage.Started)
            FinishBroken();
    }

    void ICipherOwner.OnCipherDrained() => _handler?.OnDrained();

    private void FinishBroken()
    {
        var (ending, detail) = _link.Failure;
        Finish(ending, detail);
    }

    /// <summary>Records are gathered as long as more are there: what follows (frames, sends) is then done once for several of them.</summary>
    private void ReadLoop()
    {
        for (var budget = Loop.Options.BytesPerIteration; _stage == Stage.Started && !_paused;)
        {
            if (budget <= 0)
            {
                Loop.RunNextIteration(this);
                return;
            }

            var scratch = Loop.ReceiveScratch.Span;
            var gathered = 0;
            TlsStatus status;
            do
            {
                status = _session!.Read(scratch[gathered..], out var count);
                gathered += count;
            }
            while (status == TlsStatus.Done && scratch.Length - gathered >= RecordSize);

            // The queue is the thread's: it must be read before the handler runs.
            var failure = status == TlsStatus.Failed ? TlsErrors.TakeText() : null;
            budget -= gathered;
            if (gathered > 0)
                Lend(scratch[..gathered]);
            if (status != TlsStatus.Done)
            {
                if (_stage == Stage.Started && status != TlsStatus.WantRead)
                    FinishRead(status, failure);
                return;
            }
        }
    }

    private void Lend(ReadOnlySpan<byte> data)
    {
        try
        {
            _handler!.OnReceived(data);
        }
        catch (Exception e)
        {
            Loop.Report(e, ToString());
            Finish(TransportEnding.Failed, "a fault while handling received bytes");
        }
    }

    private void FinishRead(TlsStatus status, string? failure)
    {
        if (status == TlsStatus.Ended)
            Finish(TransportEnding.ClosedByPeer, null);
        else if (_link.EndSeen)
            Finish(TransportEnding.Truncated, "the stream stopped without close_notify");
        else if (_link.IsBroken || _link.ReadFailed)
            FinishBroken();
        else
            Finish(TransportEnding.TlsFailure, failure);
    }
}
