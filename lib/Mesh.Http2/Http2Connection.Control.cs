using System.Buffers.Binary;
using Mesh.Http2.Framing;

namespace Mesh.Http2;

/// <summary>SETTINGS, PING, WINDOW_UPDATE, RST_STREAM and GOAWAY as received.</summary>
public sealed partial class Http2Connection
{
    private bool CheckLength(int length)
    {
        if (_frame.Length == length)
            return true;
        Fail(Http2ErrorCode.FRAME_SIZE_ERROR, $"{_frame.Type} of {_frame.Length} octets, it has {length}");
        return false;
    }

    private bool CheckControl(int length, bool onStream)
    {
        if (_frame.StreamId != 0 == onStream)
            return CheckLength(length);
        Fail(Http2ErrorCode.PROTOCOL_ERROR, onStream ? $"{_frame.Type} on stream 0" : $"{_frame.Type} on a stream");
        return false;
    }

    private bool CheckSettings()
    {
        if (_frame.StreamId != 0)
            Fail(Http2ErrorCode.PROTOCOL_ERROR, "SETTINGS on a stream");
        else if (_frame.Has(FrameFlags.Ack) ? _frame.Length != 0 : _frame.Length % Protocol.SettingSize != 0)
            Fail(Http2ErrorCode.FRAME_SIZE_ERROR, $"SETTINGS of {_frame.Length} octets");
        else if (_frame.Length > MaxSettingsPayload)
            Fail(Http2ErrorCode.ENHANCE_YOUR_CALM, "SETTINGS with hundreds of entries");
        else if (!_budgets.TrySpendSettings())
            Fail(Http2ErrorCode.ENHANCE_YOUR_CALM, "too many SETTINGS frames");
        return !IsClosed;
    }

    private void OnSettingsFrame(ReadOnlySpan<byte> payload)
    {
        if (_frame.Has(FrameFlags.Ack))
        {
            OnSettingsAcknowledged();
            return;
        }

        var couldOpen = CanOpenStream;
        var initialWindow = _peerInitialWindow;
        for (; !payload.IsEmpty; payload = payload[Protocol.SettingSize..])
        {
            var id = (SettingId)BinaryPrimitives.ReadUInt16BigEndian(payload);
            var value = BinaryPrimitives.ReadUInt32BigEndian(payload[2..]);
            if (!TryApply(id, value, ref initialWindow))
                return;
        }

        // Only the last value counts, and applying it once keeps a frame full of changes cheap.
        if (!TryMoveSendWindows(initialWindow))
            return;
        _peerSettingsSeen = true;
        FrameWriter.SettingsAck(Output);
        _handler.OnSettings();
        if (!IsClosed && !couldOpen && CanOpenStream)
            _handler.OnStreamsAvailable();
        WakeAll();
    }

    private bool TryApply(SettingId id, uint value, ref int initialWindow)
    {
        switch (id)
        {
            case SettingId.HEADER_TABLE_SIZE:
                _encoder.SetLimit(value);
                break;
            case SettingId.ENABLE_PUSH when value > 1 || (value == 1 && !IsServer):
                Fail(Http2ErrorCode.PROTOCOL_ERROR, $"ENABLE_PUSH {value}");
                break;
            case SettingId.MAX_CONCURRENT_STREAMS:
                _peerMaxStreams = value;
                break;
            case SettingId.INITIAL_WINDOW_SIZE when value > Protocol.MaxWindow:
                Fail(Http2ErrorCode.FLOW_CONTROL_ERROR, $"INITIAL_WINDOW_SIZE {value}");
                break;
            case SettingId.INITIAL_WINDOW_SIZE:
                initialWindow = (int)value;
                break;
            case SettingId.MAX_FRAME_SIZE when value is < Protocol.DefaultFrameSize or > Protocol.LargestFrameSize:
                Fail(Http2ErrorCode.PROTOCOL_ERROR, $"MAX_FRAME_SIZE {value}");
                break;
            case SettingId.MAX_FRAME_SIZE:
                _peerMaxFrameSize = (int)value;
                break;
            default:
                break; // 6.5.2: unknown settings are ignored; MAX_HEADER_LIST_SIZE is advisory
        }

        return !IsClosed;
    }

    /// <summary>6.9.2: open streams move by the difference, if need be below zero.</summary>
    private bool TryMoveSendWindows(int initialWindow)
    {
        var delta = (long)initialWindow - _peerInitialWindow;
        _peerInitialWindow = initialWindow;
        if (delta == 0)
            return true;
        foreach (var stream in _streams.Values)
        {
            if (!stream.SendWindow.TryIncrease(delta))
            {
                Fail(Http2ErrorCode.FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE lifts a stream's window above 2^31-1");
                return false;
            }
        }

        return true;
    }

    /// <summary>From now on the peer is held to what we announced; until here it could only know the protocol's defaults.</summary>
    private void OnSettingsAcknowledged()
    {
        if (_settingsAcknowledged)
            return;
        _settingsAcknowledged = true;
        _decoder.ApplyLimit();
        var delta = Options.InitialWindowSize - ReceiveWindowBeforeAck;
        if (delta == 0)
            return;
        foreach (var stream in _streams.Values)
        {
            stream.ReceiveWindow.Resize(delta);

            // What was too little of the larger window may be all of the smaller one.
            if (!stream.RemoteEnded && stream.ReceiveWindow.IsDue && stream.ReceiveWindow.TakeUpdate() is > 0 and var increment)
                FrameWriter.WindowUpdate(Output, stream.Id, increment);
        }
    }

    private void OnPingFrame(ReadOnlySpan<byte> payload)
    {
        var opaque = BinaryPrimitives.ReadUInt64BigEndian(payload);
        if (!_frame.Has(FrameFlags.Ack))
        {
            if (_budgets.TrySpendPing())
                FrameWriter.Ping(Output, opaque, ack: true);
            else
                Fail(Http2ErrorCode.ENHANCE_YOUR_CALM, "too many PING frames");
        }
        else if (_shutdown == Shutdown.AwaitingPing && opaque == DrainPing)
        {
            SendLastGoAway();
        }
        else if (SpendIgnored())
        {
            _handler.OnPingAck(opaque);
        }
    }

    private void OnWindowUpdateFrame(ReadOnlySpan<byte> payload)
    {
        var id = _frame.StreamId;
        var increment = (int)(BinaryPrimitives.ReadUInt32BigEndian(payload) & Protocol.MaxWindow);
        if (id == 0)
        {
            if (increment == 0)
                Fail(Http2ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE of zero on the connection");
            else if (!_sendWindow.TryIncrease(increment))
                Fail(Http2ErrorCode.FLOW_CONTROL_ERROR, "WINDOW_UPDATE lifts the connection's window above 2^31-1");
            else
                WakeWaiting();
        }
        else if (Find(id) is { } stream)
        {
            if (increment == 0)
                FailStream(stream, Http2ErrorCode.PROTOCOL_ERROR);
            else if (!stream.SendWindow.TryIncrease(increment))
                FailStream(stream, Http2ErrorCode.FLOW_CONTROL_ERROR);
            else
                Wake(stream);
        }
        else if (IsIdle(id))
        {
            Fail(Http2ErrorCode.PROTOCOL_ERROR, $"WINDOW_UPDATE on stream {id}, which was never opened");
        }
        else
        {
            SpendIgnored();
        }
    }

    private void OnResetFrame(ReadOnlySpan<byte> payload)
    {
        var code = (Http2ErrorCode)BinaryPrimitives.ReadUInt32BigEndian(payload);
        if (Find(_frame.StreamId) is { } stream)
        {
            // A client that leaves before it was answered has cost us work and itself nothing: rapid reset.
            if (IsServer && !stream.HasFinalHeaders && !_budgets.TrySpendReset())
                Fail(Http2ErrorCode.ENHANCE_YOUR_CALM, "too many streams reset by the peer before they were answered");
            else
                CloseStream(stream, StreamEnd.ResetByPeer, code, byPeer: true);
        }
        else if (IsIdle(_frame.StreamId))
        {
            Fail(Http2ErrorCode.PROTOCOL_ERROR, $"RST_STREAM on stream {_frame.StreamId}, which was never opened");
        }
        else
        {
            SpendIgnored();
        }
    }

    private void OnGoAwayFrame(ReadOnlySpan<byte> payload)
    {
        if (!SpendIgnored())
            return;
        var last = BinaryPrimitives.ReadUInt32BigEndian(payload) & Protocol.MaxStreamId;
        var code = (Http2ErrorCode)BinaryPrimitives.ReadUInt32BigEndian(payload[4..]);
        _goAwayReceived = true;
        _handler.OnGoAway(last, code, payload[8..]);

        // 6.8: what the peer left out was not processed and is safe to try elsewhere.
        if (IsServer || IsClosed)
            return;
        foreach (var stream in _streams.Values.Where(s => s.Id > last).ToArray())
        {
            if (stream.IsAlive)
                CloseStream(stream, StreamEnd.ResetByPeer, Http2ErrorCode.REFUSED_STREAM, byPeer: true);
        }
    }

    private bool SpendIgnored()
    {
        if (_budgets.TrySpendIgnored())
            return true;
        Fail(Http2ErrorCode.ENHANCE_YOUR_CALM, "too many frames without effect");
        return false;
    }
}
