using System.Buffers;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Mesh.Waypoint.Http1;

namespace Mesh.Waypoint.Tests.Http1;

public sealed class ResponseParsingTests
{
    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200, "abc")]
    [InlineData("HTTP/1.1 200\r\ncontent-length:3\r\n\r\nabc", 200, "abc")]
    [InlineData("HTTP/1.1 404 Not Here\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n", 404, "abc")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\nx-t: 1\r\n\r\n", 200, "abc")]
    [InlineData("HTTP/1.0 200 OK\r\n\r\nabc", 200, "abc")]
    [InlineData("HTTP/1.1 204 None\r\n\r\n", 204, "")]
    [InlineData("HTTP/1.1 304 Same\r\nContent-Length: 10\r\n\r\n", 304, "")]
    [InlineData("HTTP/1.1 600 Odd\r\nContent-Length: 0\r\n\r\n", 600, "")]
    public void Response_Valid_IsReadWhateverThePieces(string bytes, int status, string body)
    {
        var (gotStatus, gotBody) = Read(bytes, [int.MaxValue]);
        Assert.Equal((status, body), (gotStatus, gotBody));
        Assert.Equal((status, body), Read(bytes, [1]));
    }

    [Theory]
    [InlineData("garbage\r\n\r\n")]
    [InlineData("HTTP/2 200 OK\r\n\r\n")]
    [InlineData("HTTP/1.1  200 OK\r\n\r\n")]
    [InlineData("HTTP/1.1 20 OK\r\n\r\n")]
    [InlineData("HTTP/1.1 099 OK\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nNo colon\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nSpace : x\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\n: x\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\n folded first: x\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nX: a\nY: b\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\nabc")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nabc")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\nabc")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n")]
    [InlineData("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\nab\n")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc")]
    public void Response_WithMoreThanOneMeaning_IsAViolation(string bytes)
    {
        Assert.Throws<ProtocolViolationException>(() => Read(bytes, [int.MaxValue]));
        Assert.Throws<ProtocolViolationException>(() => Read(bytes, [1]));
    }

    [Fact]
    public void Response_HeadersWithoutEnd_AreRefusedAtTheLimitNotKept()
    {
        var bytes = "HTTP/1.1 200 OK\r\n" + string.Concat(Enumerable.Repeat("x-a: " + new string('a', 2000) + "\r\n", 60));
        Assert.Contains("longer than", Assert.Throws<ProtocolViolationException>(() => Read(bytes, [4096])).Message, StringComparison.Ordinal);
        var many = "HTTP/1.1 200 OK\r\n" + string.Concat(Enumerable.Repeat("x: y\r\n", 101)) + "\r\n";
        Assert.Contains("more than 100", Assert.Throws<ProtocolViolationException>(() => Read(many, [4096])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Response_ObsFold_BecomesSpaces()
    {
        var head = new ResponseHead();
        Assert.True(new ResponseHeadParser().TryReadHead(Sequence("HTTP/1.1 200 OK\r\nX-Fold: a\r\n  b\r\n\r\n"), head, out _));
        Assert.Equal("a  b", head.Fields.Find("x-fold"));
    }

    [Property]
    public void Response_Random_IsReadTheSameInAnyPieces(NonEmptyArray<byte> body, PositiveInt[] chunks, NonEmptyArray<PositiveInt> pieces)
    {
        var text = Encoding.Latin1.GetString(body.Get);
        var message = new StringBuilder("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        var rest = text;
        foreach (var size in chunks.Select(c => Math.Min(c.Get, rest.Length)).Append(int.MaxValue))
        {
            var count = Math.Min(size, rest.Length);
            if (count == 0)
                break;
            message.Append(count.ToString("x", System.Globalization.CultureInfo.InvariantCulture)).Append("\r\n").Append(rest.AsSpan(0, count)).Append("\r\n");
            rest = rest[count..];
        }

        message.Append("0\r\n\r\n");
        Assert.Equal((200, text), Read(message.ToString(), [.. pieces.Get.Select(p => p.Get)]));
    }

    /// <summary>Random bytes behind a valid start never do anything but end in order or in a violation.</summary>
    [Property]
    public void Response_Garbage_NeverThrowsAnythingElse(byte[] bytes, bool chunked)
    {
        var start = chunked ? "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" : "HTTP/1.1 200 OK\r\n";
        try
        {
            Read(start + Encoding.Latin1.GetString(bytes), [7]);
        }
        catch (ProtocolViolationException)
        {
            // That is the other allowed end.
        }
    }

    // Gives the bytes piece by piece, as a connection would.
    private static (int Status, string Body) Read(string text, int[] pieces)
    {
        var bytes = Encoding.Latin1.GetBytes(text);
        var parser = new ResponseHeadParser();
        var head = new ResponseHead();
        var decoder = new BodyDecoder(parser);
        var buffered = Array.Empty<byte>();
        var body = new StringBuilder();
        var hasHead = false;
        for (int at = 0, turn = 0; at < bytes.Length || turn == 0; turn++)
        {
            var count = Math.Min(pieces[turn % pieces.Length], bytes.Length - at);
            buffered = [.. buffered, .. bytes.AsSpan(at, count)];
            at += count;
            var sequence = new ReadOnlySequence<byte>(buffered);
            if (!hasHead)
            {
                if (!parser.TryReadHead(sequence, head, out var consumed))
                {
                    if (at == bytes.Length)
                        throw new ProtocolViolationException("the head is not complete");
                    continue;
                }

                head.Interpret(toHead: false);
                decoder.Start(head.Framing, head.Length);
                sequence = sequence.Slice(consumed);
                hasHead = true;
            }

            while (decoder.Next(ref sequence, at == bytes.Length) is { IsEmpty: false } piece)
                body.Append(Encoding.Latin1.GetString(piece.ToArray()));
            buffered = sequence.ToArray();
            if (decoder.IsComplete)
                break;
        }

        Assert.True(decoder.IsComplete);
        return (head.Status, body.ToString());
    }

    private static ReadOnlySequence<byte> Sequence(string text) => new(Encoding.Latin1.GetBytes(text));
}
