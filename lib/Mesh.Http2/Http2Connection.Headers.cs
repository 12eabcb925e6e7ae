using Mesh.Http2.Framing;
using Mesh.Http2.Hpack;

namespace Mesh.Http2;

/// <summary>HEADERS and CONTINUATION (RFC 9113, 6.2, 6.10) to requests, responses and trailers.</summary>
public sealed partial class Http2Connection
{
    private const string TooLargeStatus = "431";

    // The field section that CONTINUATION frames go on with; stream 0: none.
    private uint _blockStreamId;
    private bool _blockEndsStream;
    private byte[] _block = [];
    private int _blockLength;
    private int _continuations;

    // Compressed size above which a section is not even gathered.
    private int MaxBlockLength => Math.Max(Options.MaxHeaderListSize, 1024) * 2;

    private bool CheckBlockSize()
    {
        if (_frame.StreamId == 0)
            Fail(Http2ErrorCode.PROTOCOL_ERROR, "HEADERS on stream 0");
        else if (_blockLength + _frame.Length > MaxBlockLength)
            Fail(Http2ErrorCode.ENHANCE_YOUR_CALM, $"a field section of more than {MaxBlockLength} compressed octets");
        return !IsClosed;
    }

    // +---------------+
    // |Pad Length? (8)|
    // +-+-------------+-----------------------------------------------+
    // |E|                 Stream Dependency? (31)                     |
    // +-+-------------+-----------------------------------------------+
    // |  Weight? (8)  |  Field Block Fragment, then padding           |
    // +-+-------------+-----------------------------------------------+
    private void OnHeadersFrame(ReadOnlySpan<byte> payload)
    {
        var padding = 0;
        if (_frame.Has(FrameFlags.Padded))
        {
            if (payload.IsEmpty)
            {
                Fail(Http2ErrorCode.FRAME_SIZE_ERROR, "padded HEADERS without pad length");
                return;
            }

            padding = payload[0];
            payload = payload[1..];
        }

        if (_frame.Has(FrameFlags.Priority))
        {
            if (payload.Length < 5)
            {
                Fail(Http2ErrorCode.FRAME_SIZE_ERROR, "HEADERS with a priority flag and without priority");
                return;
            }

            payload = payload[5..];
        }

        if (padding > payload.Length)
        {
            Fail(Http2ErrorCode.PROTOCOL_ERROR, "HEADERS padding is longer than its frame");
            return;
        }

        payload = payload[..^padding];
        var endStream = _frame.Has(FrameFlags.EndStream);
        if (_frame.Has(FrameFlags.EndHeaders))
        {
            OnFieldSection(_frame.StreamId, payload, endStream);
            return;
        }

        _blockStreamId = _frame.StreamId;
        _blockEndsStream = endStream;
        _continuations = 0;
        Append(ref _block, ref _blockLength, payload);
    }

    private void OnContinuationFrame(ReadOnlySpan<byte> payload)
    {
        Append(ref _block, ref _blockLength, payload);
        if (!_frame.Has(FrameFlags.EndHeaders))
            return;
        var id = _blockStreamId;
        _blockStreamId = 0;
        OnFieldSection(id, _block.AsSpan(0, _blockLength), _blockEndsStream);
        Return(ref _block, ref _blockLength);
    }

    private void OnFieldSection(uint id, ReadOnlySpan<byte> block, bool endStream)
    {
        if (Find(id) is { } stream)
        {
            if (TryDecode(block, wanted: true, out var headers, out var tooLarge))
                OnStreamHeaders(stream, headers!, endStream, tooLarge);
        }
        else if (IsServer && (id & 1) == 1 && id > _lastPeerId)
        {
            OnRequest(id, block, endStream);
        }
        else if (IsIdle(id))
        {
            Fail(Http2ErrorCode.PROTOCOL_ERROR, $"HEADERS on stream {id}, which the peer may not open");
        }
        else
        {
            OnLateHeaders(id, block);
        }
    }

    private void OnLateHeaders(uint id, ReadOnlySpan<byte> block)
    {
        if (!SpendIgnored())
            return;
        if (IsLateByRight(id))
            TryDecode(block, wanted: false, out _, out _);
        else if (_closedStreams.Find(id) == StreamEnd.Unknown)
            Fail(Http2ErrorCode.PROTOCOL_ERROR, $"HEADERS on stream {id}, which is below the newest one"); // 5.1.1
        else
            Fail(Http2ErrorCode.STREAM_CLOSED, $"HEADERS on stream {id}, which had ended");
    }

    private bool TryDecode(ReadOnlySpan<byte> block, bool wanted, out HeaderList? headers, out bool tooLarge)
    {
        headers = wanted ? new HeaderList() : null;
        var status = _decoder.Decode(block, headers, Options.MaxHeaderListSize);
        tooLarge = status == HpackStatus.ListTooLarge;
        if (status == HpackStatus.Malformed)
            Fail(Http2ErrorCode.COMPRESSION_ERROR, "a field section violates RFC 7541");
        return !IsClosed;
    }

    /// <summary>
    /// (1) after our last GOAWAY nothing new is answered  (2) over the limit: refused  (3) too large: 431  (4) malformed: reset  (5) to the owner.
    /// </summary>
    private void OnRequest(uint id, ReadOnlySpan<byte> block, bool endStream)
    {
        _lastPeerId = id;
        _closedStreams.Advance(id);

        // (1) 6.8: the peer knows from the GOAWAY that these were not processed.
        var ignored = id > _goAwayLastId;
        var refused = !ignored && ActiveStreams >= StreamLimit;
        if (!TryDecode(block, wanted: !ignored && !refused, out var headers, out var tooLarge))
            return;
        if (ignored)
        {
            SpendIgnored();
            return;
        }

        // (2) 5.1.2
        if (refused)
        {
            if (_budgets.TrySpendRefusal())
                SendReset(id, Http2ErrorCode.REFUSED_STREAM);
            else
                Fail(Http2ErrorCode.ENHANCE_YOUR_CALM, "too many streams beyond MAX_CONCURRENT_STREAMS");
            return;
        }

        // (3) 10.5.1
        if (tooLarge)
        {
            WriteHeaders(id, [new HeaderField(":status", TooLargeStatus)], endStream: true);
            ResetUnknown(id, Http2ErrorCode.PROTOCOL_ERROR);
            return;
        }

        // (4) 8.1.1
        if (!HeaderRules.IsValidRequest(headers!) || !HeaderRules.TryGetContentLength(headers!, out var contentLength))
        {
            ResetUnknown(id, Http2ErrorCode.PROTOCOL_ERROR);
            return;
        }

        // (5)
        var stream = AddStream(id, endStream ? Http2StreamState.HalfClosedRemote : Http2StreamState.Open);
        stream.IsConnect = string.Equals(headers!.Method, "CONNECT", StringComparison.Ordinal);
        stream.ExpectedBytes = stream.IsConnect ? -1 : contentLength;
        if (endStream && stream.ExpectedBytes > 0)
        {
            FailStream(stream, Http2ErrorCode.PROTOCOL_ERROR, tellOwner: false);
            return;
        }

        _handler.OnHeaders(stream, headers, endStream);
        if (endStream && stream.IsAlive)
            _handler.OnEndStream(stream);
    }

    private void OnStreamHeaders(Http2Stream stream, HeaderList headers, bool endStream, bool tooLarge)
    {
        if (stream.RemoteEnded)
            FailStream(stream, Http2ErrorCode.STREAM_CLOSED);
        else if (tooLarge)
            FailStream(stream, Http2ErrorCode.PROTOCOL_ERROR);
        else if (IsServer || stream.HasFinalHeaders)
            OnTrailers(stream, headers, endStream);
        else
            OnResponse(stream, headers, endStream);
    }

    private void OnTrailers(Http2Stream stream, HeaderList headers, bool endStream)
    {
        // 8.1: a second section ends the stream; 8.5: a connected stream has none.
        if (!endStream || stream.IsConnect || !HeaderRules.IsValidTrailers(headers))
        {
            FailStream(stream, Http2ErrorCode.PROTOCOL_ERROR);
            return;
        }

        _handler.OnHeaders(stream, headers, endStream: true);
        if (stream.IsAlive)
            EndRemote(stream);
    }

    private void OnResponse(Http2Stream stream, HeaderList headers, bool endStream)
    {
        // 8.6: 101 does not exist in HTTP/2; 8.1: a 1xx never ends a stream.
        if (!HeaderRules.IsValidResponse(headers, out var status) || status == 101 || (status < 200 && endStream)
            || !HeaderRules.TryGetContentLength(headers, out var contentLength))
        {
            FailStream(stream, Http2ErrorCode.PROTOCOL_ERROR);
            return;
        }

        if (status < 200)
        {
            if (SpendIgnored())
                _handler.OnInformational(stream, headers);
            return;
        }

        stream.HasFinalHeaders = true;
        var connected = stream.IsConnect && status < 300;
        stream.IsConnect = connected; // another answer to a CONNECT is an ordinary response
        stream.ExpectedBytes = connected || stream.IsHead || status is 204 or 304 ? -1 : contentLength;
        _handler.OnHeaders(stream, headers, endStream);
        if (endStream && stream.IsAlive)
            EndRemote(stream);
    }

    /// <summary>One HEADERS frame and as many CONTINUATION frames as the peer's MAX_FRAME_SIZE asks for.</summary>
    private void WriteHeaders(uint id, HeaderList headers, bool endStream)
    {
        var end = endStream ? FrameFlags.EndStream : FrameFlags.None;
        var frame = Output.Append(FrameHeader.Size + HpackEncoder.MaxLength(headers));
        var length = _encoder.Encode(headers, frame[FrameHeader.Size..]);
        if (length <= _peerMaxFrameSize)
        {
            FrameHeader.Write(frame, length, FrameType.HEADERS, FrameFlags.EndHeaders | end, id);
            Output.Commit(FrameHeader.Size + length);
            return;
        }

        var block = frame.Slice(FrameHeader.Size, length).ToArray();
        for (var sent = 0; sent < length;)
        {
            var count = Math.Min(length - sent, _peerMaxFrameSize);
            var flags = sent + count == length ? FrameFlags.EndHeaders : FrameFlags.None;
            var part = Output.Append(FrameHeader.Size + count);
            if (sent == 0)
                FrameHeader.Write(part, count, FrameType.HEADERS, flags | end, id);
            else
                FrameHeader.Write(part, count, FrameType.CONTINUATION, flags, id);
            block.AsSpan(sent, count).CopyTo(part[FrameHeader.Size..]);
            Output.Commit(FrameHeader.Size + count);
            sent += count;
        }
    }
}
