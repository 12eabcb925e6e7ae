using System.Numerics;
using Mesh.Http2.Framing;

namespace Mesh.Http2;

/// <summary>What streams send. DATA is limited by both windows, the peer's frame size and the output; everything else goes out at once.</summary>
public sealed partial class Http2Connection
{
    // Just below the output's limit a stream may still send this much, instead of ever smaller frames.
    private const int SmallestRoom = 16 * 1024;

    private const int SmallestRoundedBuffer = 1024;

    private int OutputRoom => Output.Length < OutputLimit ? Math.Max(OutputLimit - Output.Length, SmallestRoom) : 0;

    private int MaxDataFrame => Math.Min(_peerMaxFrameSize, Options.MaxSendFrameSize);

    public void SendPing(ulong opaque)
    {
        if (!IsClosed)
            FrameWriter.Ping(Output, opaque, ack: false);
    }

    internal int CreditOf(Http2Stream stream) => Math.Max(0, Math.Min(Math.Min(stream.SendWindow.Available, _sendWindow.Available), OutputRoom));

    internal void SendHeaders(Http2Stream stream, HeaderList headers, bool endStream)
    {
        HeaderRules.ThrowIfUnsendable(headers);
        var isResponse = IsServer && !stream.HasFinalHeaders;
        if (isResponse)
        {
            if (!HeaderRules.IsValidResponse(headers, out var status) || status == 101 || (status < 200 && endStream))
                throw new ArgumentException("a response has exactly one :status first, and a 1xx never ends the stream (RFC 9113, 8.3.2)", nameof(headers));
            stream.HasFinalHeaders = status >= 200;
            stream.IsConnect &= status < 300;
        }
        else if (!endStream || stream.IsConnect || !HeaderRules.IsValidTrailers(headers))
        {
            throw new InvalidOperationException($"{stream}: after its headers a stream takes trailers only: with endStream, without pseudo fields, never on CONNECT (RFC 9113, 8.1 and 8.5)");
        }

        WriteHeaders(stream.Id, headers, endStream);
        if (!endStream)
            return;

        // 8.1: a complete answer to an incomplete request asks the client to stop sending.
        if (isResponse && !stream.RemoteEnded)
            ResetByOwner(stream, Http2ErrorCode.NO_ERROR);
        else
            EndLocal(stream);
    }

    internal int WriteData(Http2Stream stream, ReadOnlySpan<byte> data, bool endStream)
    {
        if (data.IsEmpty)
        {
            if (endStream)
            {
                FrameWriter.Data(Output, stream.Id, data, endStream: true);
                EndLocal(stream);
            }

            return 0;
        }

        var count = Math.Min(data.Length, CreditOf(stream));
        var ends = endStream && count == data.Length;

        // Before anything is written: whoever is told of the output must find the credit already spent.
        stream.SendWindow.Spend(count);
        _sendWindow.Spend(count);
        for (var sent = 0; sent < count;)
        {
            var length = Math.Min(count - sent, MaxDataFrame);
            FrameWriter.Data(Output, stream.Id, data.Slice(sent, length), ends && sent + length == count);
            sent += length;
        }

        if (count < data.Length)
            WaitForCredit(stream);
        if (ends)
            EndLocal(stream);
        return count;
    }

    internal Span<byte> ReserveData(Http2Stream stream, int sizeHint)
    {
        var count = Math.Min(Math.Min(sizeHint, CreditOf(stream)), MaxDataFrame);
        if (count <= 0)
        {
            WaitForCredit(stream);
            return default;
        }

        // Owners ask for round sizes. With its header the frame then fills one buffer of the pool, or one TLS record, instead of spilling over.
        if (count >= SmallestRoundedBuffer && BitOperations.IsPow2(count))
            count -= FrameHeader.Size;
        return Output.Reserve(FrameHeader.Size, count);
    }

    internal void CommitData(Http2Stream stream, int count, bool endStream)
    {
        if (count == 0)
        {
            Output.DropReservation();
            if (endStream)
                WriteData(stream, default, endStream: true);
            return;
        }

        var header = Output.TakeReservation(FrameHeader.Size, count);
        FrameHeader.Write(header, count, FrameType.DATA, endStream ? FrameFlags.EndStream : FrameFlags.None, stream.Id);
        stream.SendWindow.Spend(count);
        _sendWindow.Spend(count);
        Output.Commit(FrameHeader.Size + count);
        if (endStream)
            EndLocal(stream);
    }
}
