using System.Diagnostics;
using Mesh.Http2.Framing;

namespace Mesh.Http2;

/// <summary>
/// DATA (RFC 9113, 6.1), passed on piece by piece. A frame is charged to the windows as a whole when its header has come; each octet goes back
/// through exactly one door: the owner's Consume, padding at once, or discarded when nobody wants it any more.
/// </summary>
public sealed partial class Http2Connection
{
    // Below this a DATA frame is mostly header.
    private const int TinyData = 32;

    // Of the current DATA frame. No stream: the rest is discarded.
    private Http2Stream? _dataStream;
    private int _dataLeft;
    private int _padLeft;

    private void BeginData()
    {
        if (_frame.StreamId == 0)
        {
            Fail(Http2ErrorCode.PROTOCOL_ERROR, "DATA on stream 0");
            return;
        }

        if (!SpendDataBudget())
            return;
        if (!_receiveWindow.TryReceive(_frame.Length))
        {
            Fail(Http2ErrorCode.FLOW_CONTROL_ERROR, "DATA exceeds the connection's window");
            return;
        }

        if (!TryFindDataStream(out _dataStream))
            return;
        _dataLeft = _frame.Length;
        _padLeft = 0;
        if (!_frame.Has(FrameFlags.Padded))
            _phase = Phase.Data;
        else if (_frame.Length == 0)
            Fail(Http2ErrorCode.FRAME_SIZE_ERROR, "a padded DATA frame without pad length");
        else
            _phase = Phase.DataPadLength;
    }

    private bool SpendDataBudget()
    {
        if (_frame.Length >= TinyData || _frame.Has(FrameFlags.EndStream))
            return true;
        if (_frame.Length == 0 ? _budgets.TrySpendEmptyData() : _budgets.TrySpendTinyData())
            return true;
        Fail(Http2ErrorCode.ENHANCE_YOUR_CALM, _frame.Length == 0 ? "too many empty DATA frames" : "too many tiny DATA frames");
        return false;
    }

    /// <summary>False: the connection has failed. Null: the payload is charged to the connection and discarded.</summary>
    private bool TryFindDataStream(out Http2Stream? stream)
    {
        var id = _frame.StreamId;
        stream = Find(id);
        if (stream is null)
            return OnLateData(id);
        if (stream.RemoteEnded)
        {
            FailStream(stream, Http2ErrorCode.STREAM_CLOSED);
            stream = null;
        }
        else if (!IsServer && !stream.HasFinalHeaders)
        {
            FailStream(stream, Http2ErrorCode.PROTOCOL_ERROR); // 8.1: a response begins with HEADERS
            stream = null;
        }
        else if (!stream.ReceiveWindow.TryReceive(_frame.Length))
        {
            FailStream(stream, Http2ErrorCode.FLOW_CONTROL_ERROR);
            stream = null;
        }

        return !IsClosed;
    }

    private bool OnLateData(uint id)
    {
        if (IsIdle(id))
        {
            Fail(Http2ErrorCode.PROTOCOL_ERROR, $"DATA on stream {id}, which was never opened");
            return false;
        }

        if (!SpendIgnored())
            return false;
        if (!IsLateByRight(id))
            ResetUnknown(id, Http2ErrorCode.STREAM_CLOSED);
        return !IsClosed;
    }

    private void TakePadLength(byte padLength)
    {
        // 6.1: padding that leaves no room for itself.
        if (padLength >= _frame.Length)
        {
            Fail(Http2ErrorCode.PROTOCOL_ERROR, "DATA padding is longer than its frame");
            return;
        }

        _padLeft = padLength;
        _dataLeft = _frame.Length - 1;
        _phase = Phase.Data;

        // Nobody sees padding, so nobody would give it back.
        if (_dataStream is { } stream)
            ReturnCredit(stream, 1 + padLength);
        else
            ReturnConnectionCredit(1 + padLength);
    }

    private void TakeData(ref ReadOnlySpan<byte> bytes)
    {
        var count = Math.Min(_dataLeft, bytes.Length);
        var piece = bytes[..count];
        bytes = bytes[count..];
        _dataLeft -= count;

        // The padding is the end of what is left.
        var useful = Math.Min(count, Math.Max(0, count + _dataLeft - _padLeft));
        if (useful > 0)
            PassOn(piece[..useful]);
        if (_dataLeft == 0 && !IsClosed)
            FinishData();
    }

    private void PassOn(ReadOnlySpan<byte> data)
    {
        if (_dataStream is not { } stream)
        {
            ReturnConnectionCredit(data.Length);
            return;
        }

        if (stream.ExpectedBytes >= 0 && (stream.ExpectedBytes -= data.Length) < 0)
        {
            FailStream(stream, Http2ErrorCode.PROTOCOL_ERROR); // 8.1.1: more than the content-length
            ReturnConnectionCredit(data.Length);
            return;
        }

        stream.UnconsumedBytes += data.Length;
        _handler.OnData(stream, data);
    }

    private void FinishData()
    {
        _phase = Phase.Header;
        var stream = _dataStream;
        _dataStream = null;
        Debug.Assert(_dataLeft == 0, "the frame is complete");
        if (stream is not null && _frame.Has(FrameFlags.EndStream))
            EndRemote(stream);
    }

    /// <summary>Credit of one stream and of the connection; due updates of both go out together.</summary>
    internal void ReturnCredit(Http2Stream stream, int count)
    {
        if (IsClosed)
            return;
        _receiveWindow.Owe(count);
        var streamDue = false;
        if (!stream.RemoteEnded)
        {
            stream.ReceiveWindow.Owe(count);
            streamDue = stream.ReceiveWindow.IsDue;
        }

        if (!streamDue && !_receiveWindow.IsDue)
            return;
        if (!stream.RemoteEnded && stream.ReceiveWindow.TakeUpdate() is > 0 and var increment)
            FrameWriter.WindowUpdate(Output, stream.Id, increment);
        WriteConnectionUpdate();
    }

    private void ReturnConnectionCredit(int count)
    {
        if (IsClosed)
            return;
        _receiveWindow.Owe(count);
        if (_receiveWindow.IsDue)
            WriteConnectionUpdate();
    }

    private void WriteConnectionUpdate()
    {
        if (_receiveWindow.TakeUpdate() is > 0 and var increment)
            FrameWriter.WindowUpdate(Output, 0, increment);
    }
}
