using System.Runtime.CompilerServices;
using Mesh.Http2.Framing;

namespace Mesh.Http2;

/// <summary>Octets to frames. Any split of the input gives the same events; DATA is passed on as it comes, the rest is gathered per frame.</summary>
public sealed partial class Http2Connection
{
    // RFC 9113 allows far more; a SETTINGS frame longer than this has no honest use.
    private const int MaxSettingsPayload = 4096;

    // 8 fixed octets and as much debug data as a log line can use.
    private const int MaxGoAwayPayload = 8 + 1024;

    private enum Phase : byte
    {
        Header,
        Payload,
        DataPadLength,
        Data,
        Skip,
    }

    [InlineArray(FrameHeader.Size)]
    private struct HeaderBytes
    {
        private byte _first;
    }

    private bool _receiving;
    private int _prefaceLeft;
    private bool _peerSettingsSeen;
    private Phase _phase;
    private FrameHeader _frame;
    private HeaderBytes _partialHeader;
    private int _partialHeaderLength;

    // Payload of the current frame: wanted octets, gathered ones, and what follows them and is skipped.
    private byte[] _payload = [];
    private int _payloadLength;
    private int _payloadWanted;
    private int _skipLeft;

    /// <summary>Takes everything; what is half a frame is kept. After the connection has closed, input is ignored.</summary>
    public void Receive(ReadOnlySpan<byte> bytes)
    {
        if (_receiving)
            throw new InvalidOperationException("Receive was called from inside one of its own callbacks");
        _receiving = true;
        try
        {
            if (_prefaceLeft > 0 && !IsClosed)
                TakePreface(ref bytes);
            if (_prefaceLeft == 0)
                TakeFrames(bytes);
        }
        finally
        {
            _receiving = false;
            if (IsClosed)
                ReleaseInput();
        }
    }

    private void TakePreface(ref ReadOnlySpan<byte> bytes)
    {
        var expected = Protocol.Preface[^_prefaceLeft..];
        var count = Math.Min(bytes.Length, expected.Length);
        if (!bytes[..count].SequenceEqual(expected[..count]))
        {
            Fail(Http2ErrorCode.PROTOCOL_ERROR, "the client did not begin with the HTTP/2 preface");
            return;
        }

        _prefaceLeft -= count;
        bytes = bytes[count..];
    }

    private void TakeFrames(ReadOnlySpan<byte> bytes)
    {
        while (!IsClosed)
        {
            switch (_phase)
            {
                case Phase.Header:
                    if (!TryTakeHeader(ref bytes))
                        return;
                    BeginFrame();
                    break;
                case Phase.Payload:
                    if (!TryTakePayload(ref bytes))
                        return;
                    break;
                case Phase.DataPadLength:
                    if (bytes.IsEmpty)
                        return;
                    TakePadLength(bytes[0]);
                    bytes = bytes[1..];
                    break;
                case Phase.Data:
                    if (_dataLeft > 0 && bytes.IsEmpty)
                        return;
                    TakeData(ref bytes);
                    break;
                default:
                    var skipped = Math.Min(_skipLeft, bytes.Length);
                    bytes = bytes[skipped..];
                    _skipLeft -= skipped;
                    if (_skipLeft > 0)
                        return;
                    EndFrame();
                    break;
            }
        }
    }

    private bool TryTakeHeader(ref ReadOnlySpan<byte> bytes)
    {
        if (_partialHeaderLength == 0 && bytes.Length >= FrameHeader.Size)
        {
            _frame = FrameHeader.Read(bytes);
            bytes = bytes[FrameHeader.Size..];
            return true;
        }

        Span<byte> partial = _partialHeader;
        var count = Math.Min(FrameHeader.Size - _partialHeaderLength, bytes.Length);
        bytes[..count].CopyTo(partial[_partialHeaderLength..]);
        bytes = bytes[count..];
        _partialHeaderLength += count;
        if (_partialHeaderLength < FrameHeader.Size)
            return false;
        _partialHeaderLength = 0;
        _frame = FrameHeader.Read(partial);
        return true;
    }

    /// <summary>Everything that the header alone can decide, so that no payload is gathered for a frame that will be refused.</summary>
    private void BeginFrame()
    {
        if (_frame.Length > Options.MaxFrameSize)
            Fail(Http2ErrorCode.FRAME_SIZE_ERROR, $"a frame of {_frame.Length} octets exceeds MAX_FRAME_SIZE {Options.MaxFrameSize}");
        else if (!_peerSettingsSeen && (_frame.Type != FrameType.SETTINGS || _frame.Has(FrameFlags.Ack)))
            Fail(Http2ErrorCode.PROTOCOL_ERROR, "the first frame is not SETTINGS");
        else if (_blockStreamId != 0 && (_frame.Type != FrameType.CONTINUATION || _frame.StreamId != _blockStreamId))
            Fail(Http2ErrorCode.PROTOCOL_ERROR, $"a field section of stream {_blockStreamId} was interrupted by another frame");
        else if (Output.Length > OutputLimit + Options.MaxControlBacklog)
            Fail(Http2ErrorCode.ENHANCE_YOUR_CALM, "the peer asks for answers and does not read them");
        else
            BeginPayload();
    }

    private void BeginPayload()
    {
        switch (_frame.Type)
        {
            case FrameType.DATA:
                BeginData();
                break;
            case FrameType.HEADERS:
                if (CheckBlockSize())
                    Gather(_frame.Length);
                break;
            case FrameType.CONTINUATION:
                if (_blockStreamId == 0)
                    Fail(Http2ErrorCode.PROTOCOL_ERROR, "CONTINUATION without a field section to continue");
                else if (++_continuations > Options.MaxContinuationFrames)
                    Fail(Http2ErrorCode.ENHANCE_YOUR_CALM, $"more than {Options.MaxContinuationFrames} CONTINUATION frames for one field section");
                else if (CheckBlockSize())
                    Gather(_frame.Length);
                break;
            case FrameType.SETTINGS:
                if (CheckSettings())
                    Gather(_frame.Length);
                break;
            case FrameType.PING:
                if (CheckControl(8, onStream: false))
                    Gather(8);
                break;
            case FrameType.WINDOW_UPDATE:
                if (CheckLength(4))
                    Gather(4);
                break;
            case FrameType.RST_STREAM:
                if (CheckControl(4, onStream: true))
                    Gather(4);
                break;
            case FrameType.GOAWAY:
                if (_frame.StreamId != 0)
                    Fail(Http2ErrorCode.PROTOCOL_ERROR, "GOAWAY on a stream");
                else if (_frame.Length < 8)
                    Fail(Http2ErrorCode.FRAME_SIZE_ERROR, "GOAWAY shorter than 8 octets");
                else
                    Gather(Math.Min(_frame.Length, MaxGoAwayPayload));
                break;
            case FrameType.PUSH_PROMISE:
                Fail(Http2ErrorCode.PROTOCOL_ERROR, "PUSH_PROMISE although push is off");
                break;
            default:
                BeginIgnored();
                break;
        }
    }

    /// <summary>5.5: unknown types are discarded; 5.3.2: priorities are obsolete, only their form is checked.</summary>
    private void BeginIgnored()
    {
        if (!SpendIgnored())
            return;
        if (_frame.Type == FrameType.PRIORITY)
        {
            if (_frame.StreamId == 0)
                Fail(Http2ErrorCode.PROTOCOL_ERROR, "PRIORITY on stream 0");
            else if (_frame.Length != 5 && Find(_frame.StreamId) is { } stream)
                FailStream(stream, Http2ErrorCode.FRAME_SIZE_ERROR);
        }

        Gather(0);
    }

    private void Gather(int wanted)
    {
        _payloadWanted = wanted;
        _payloadLength = 0;
        _skipLeft = _frame.Length - wanted;
        _phase = wanted > 0 || _skipLeft == 0 ? Phase.Payload : Phase.Skip;
    }

    private bool TryTakePayload(ref ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<byte> payload;
        if (_payloadLength == 0 && bytes.Length >= _payloadWanted)
        {
            payload = bytes[.._payloadWanted];
            bytes = bytes[_payloadWanted..];
        }
        else
        {
            var count = Math.Min(_payloadWanted - _payloadLength, bytes.Length);
            Append(ref _payload, ref _payloadLength, bytes[..count]);
            bytes = bytes[count..];
            if (_payloadLength < _payloadWanted)
                return false;
            payload = _payload.AsSpan(0, _payloadLength);
        }

        _phase = Phase.Skip;
        Dispatch(payload);
        return true;
    }

    private void Dispatch(ReadOnlySpan<byte> payload)
    {
        switch (_frame.Type)
        {
            case FrameType.HEADERS: OnHeadersFrame(payload); break;
            case FrameType.CONTINUATION: OnContinuationFrame(payload); break;
            case FrameType.SETTINGS: OnSettingsFrame(payload); break;
            case FrameType.PING: OnPingFrame(payload); break;
            case FrameType.WINDOW_UPDATE: OnWindowUpdateFrame(payload); break;
            case FrameType.RST_STREAM: OnResetFrame(payload); break;
            case FrameType.GOAWAY: OnGoAwayFrame(payload); break;
            default: break;
        }
    }

    private void EndFrame()
    {
        _phase = Phase.Header;
        Return(ref _payload, ref _payloadLength);
    }

    /// <summary>Grows with what has really arrived, not with what a frame header promises.</summary>
    private void Append(ref byte[] buffer, ref int length, ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty)
            return;
        if (buffer.Length - length < bytes.Length)
        {
            var larger = _pool.Rent(Math.Max(256, Math.Max(length + bytes.Length, buffer.Length * 2)));
            buffer.AsSpan(0, length).CopyTo(larger);
            if (buffer.Length > 0)
                _pool.Return(buffer);
            buffer = larger;
        }

        bytes.CopyTo(buffer.AsSpan(length));
        length += bytes.Length;
    }

    private void Return(ref byte[] buffer, ref int length)
    {
        length = 0;
        if (buffer.Length == 0)
            return;
        _pool.Return(buffer);
        buffer = [];
    }

    private void ReleaseInput()
    {
        Return(ref _payload, ref _payloadLength);
        Return(ref _block, ref _blockLength);
    }
}
