using System.Runtime.CompilerServices;
using Mesh.Net.Tls;

namespace Mesh.Net;

public sealed partial class TlsTransport
{
    /// <summary>Largest plaintext of a record (RFC 8446, 5.1).</summary>
    private const int RecordSize = 16 * 1024;

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

        using var scope = NoContext.Enter();
        try
        {
            // One record goes out from where SslStream encrypted it; several are collected for one send.
            _link.SendAtOnce = plaintext.Length <= RecordSize - RecordOverhead;
            while (!plaintext.IsEmpty && !_link.IsBroken)
            {
                var chunk = plaintext[..Math.Min(plaintext.Length, ChunkSize)];
                if (!_link.SendAtOnce)
                    _link.Reserve(chunk.Length + (((chunk.Length / RecordSize) + 2) * RecordOverhead));
                var write = _ssl.WriteAsync(chunk);
                if (!write.IsCompleted)
                    throw new IOException("the peer asked for a renegotiation, which is not supported");
                write.GetAwaiter().GetResult();
                if (!_link.SendAtOnce)
                    _link.Send();
                plaintext = plaintext[chunk.Length..];
            }
        }
        catch (IOException e)
        {
            _writeFailure = TlsErrors.Text(e);
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
        _budget = Loop.Options.BytesPerIteration;
        if (_stage == Stage.Handshaking)
        {
            using var scope = NoContext.Enter();
            _link.Pulse();
            _link.Send();
            return;
        }

        if (_stage != Stage.Started)
            return;
        if (!_paused)
        {
            if (_readPending)
            {
                using (NoContext.Enter())
                    _link.Pulse();
            }
            else
            {
                ReadLoop();
            }
        }

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

    private void ReadLoop()
    {
        while (_stage == Stage.Started && !_paused)
        {
            if (_budget <= 0)
            {
                Loop.RunNextIteration(this);
                return;
            }

            using (NoContext.Enter())
                _read = _ssl.ReadAsync(Loop.ReceiveScratch).GetAwaiter();
            if (!_read.IsCompleted)
            {
                _readPending = true;

                // Without a context, or the runtime would post the continuation instead of calling it.
                using (NoContext.Enter())
                    _read.UnsafeOnCompleted(_onReadCompleted);
                return;
            }

            TakeRead();
        }
    }

    /// <summary>Called by SslStream's completion inside <see cref="CipherStream.Pulse"/>: on the loop's thread, without its context.</summary>
    private void OnReadCompleted()
    {
        var inner = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(Loop);
        try
        {
            _readPending = false;
            TakeRead();
            ReadLoop();
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(inner);
        }
    }

    private void TakeRead()
    {
        int count;
        try
        {
            count = _read.GetResult();
        }
        catch (Exception e)
        {
            if (_stage == Stage.Started)
                FinishRead(e);
            return;
        }
        finally
        {
            _read = default;
        }

        if (_stage != Stage.Started)
            return;
        if (count == 0)
        {
            Finish(_link.EndSeen ? TransportEnding.Truncated : TransportEnding.ClosedByPeer, _link.EndSeen ? "the stream stopped without close_notify" : null);
            return;
        }

        _budget -= count;
        try
        {
            _handler!.OnReceived(Loop.ReceiveScratch.Span[..count]);
        }
        catch (Exception e)
        {
            // Not through SslStream's frames, which lie between here and the loop.
            Loop.Report(e, ToString());
            Finish(TransportEnding.Failed, "a fault while handling received bytes");
        }
    }

    private void FinishRead(Exception e)
    {
        if (_link.EndSeen)
            Finish(TransportEnding.Truncated, "the stream stopped in the middle of a record");
        else if (_link.IsBroken || _link.Socket is { LastError: not 0 })
            FinishBroken();
        else
            Finish(TransportEnding.TlsFailure, TlsErrors.Text(e));
    }
}
