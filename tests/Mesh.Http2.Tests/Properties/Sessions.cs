using System.Buffers.Binary;
using Mesh.Http2.Framing;
using Mesh.Http2.Hpack;

namespace Mesh.Http2.Tests.Properties;

/// <summary>Random, mostly legal byte streams of one peer: every frame type, and now and then something that is wrong.</summary>
internal static class Sessions
{
    public const int ClientStreams = 4;

    private static readonly int[] Statuses = [100, 200, 200, 503];

    public static Http2Options Options(Http2Role role) => role == Http2Role.Server
        ? Http2Options.ForServer with { MaxConcurrentStreams = 3, MaxHeaderListSize = 2000 }
        : Http2Options.ForClient with { MaxHeaderListSize = 2000 };

    public static byte[] OfClient(Random random)
    {
        var bytes = new List<byte>(Protocol.Preface.ToArray());
        var encoder = new HpackEncoder();
        var next = 1u;
        bytes.AddRange(Frame(FrameType.SETTINGS, 0, 0, []));
        for (var i = random.Next(30); i > 0; i--)
        {
            if (random.Next(3) == 0)
            {
                bytes.AddRange(HeaderFrames(random, encoder, next, Request(random)));
                next += random.Next(10) == 0 ? 4u : 2u;
            }
            else
            {
                bytes.AddRange(AnyFrame(random, encoder, (uint)random.Next(0, (int)next + 1) | (random.Next(30) == 0 ? 0u : 1u)));
            }
        }

        return [.. bytes];
    }

    public static byte[] OfServer(Random random)
    {
        var bytes = new List<byte>(Frame(FrameType.SETTINGS, 0, 0, []));
        var encoder = new HpackEncoder();
        for (var i = random.Next(30); i > 0; i--)
        {
            var stream = (uint)((2 * random.Next(ClientStreams)) + 1);
            bytes.AddRange(random.Next(3) == 0
                ? HeaderFrames(random, encoder, stream, HeaderList.Response(Statuses[random.Next(Statuses.Length)]))
                : AnyFrame(random, encoder, stream));
        }

        return [.. bytes];
    }

    private static HeaderList Request(Random random)
    {
        if (random.Next(3) == 0)
            return HeaderList.Request("POST", "https", "a", "/");
        var headers = HeaderList.Connect($"198.18.1.{random.Next(256)}:8080");
        if (random.Next(2) == 0)
            headers.Add("traceparent", $"00-{random.NextInt64():x}-00");
        if (random.Next(20) == 0)
            headers.Add("x-large", new string('l', random.Next(4000)));
        if (random.Next(30) == 0)
            headers.Add("connection", "close");
        return headers;
    }

    private static IEnumerable<byte> AnyFrame(Random random, HpackEncoder encoder, uint stream)
    {
        switch (random.Next(12))
        {
            case 0: return Frame(FrameType.PING, random.Next(2), 0, new byte[8]);
            case 1: return Frame(FrameType.SETTINGS, 0, 0, [0, (byte)(3 + random.Next(2)), 0, 0, (byte)random.Next(256), 9]);
            case 2: return Frame(FrameType.WINDOW_UPDATE, 0, random.Next(2) == 0 ? 0 : stream, Number((uint)random.Next(random.Next(10) == 0 ? 1 : 1000)));
            case 3: return Frame(FrameType.RST_STREAM, 0, stream, Number(8));
            case 4: return Frame((FrameType)random.Next(10, 200), random.Next(256), stream, new byte[random.Next(100)]);
            case 5: return Frame(FrameType.PRIORITY, 0, stream, new byte[random.Next(10) == 0 ? 4 : 5]);
            case 6: return random.Next(5) == 0 ? Frame(FrameType.GOAWAY, 0, 0, [.. Number(3), .. Number(0), .. "debug"u8]) : [];
            case 7: return HeaderFrames(random, encoder, stream, new HeaderList { { "x-trailer", "1" } });
            case 8:
                var padding = random.Next(random.Next(20) == 0 ? 256 : 20);
                return Frame(FrameType.DATA, 8 | random.Next(2), stream, [(byte)padding, .. new byte[random.Next(200) + Math.Min(padding, 20)]]);
            default:
                var data = new byte[random.Next(random.Next(10) == 0 ? 20_000 : 300)];
                random.NextBytes(data);
                return Frame(FrameType.DATA, random.Next(6) == 0 ? 1 : 0, stream, data);
        }
    }

    private static IEnumerable<byte> HeaderFrames(Random random, HpackEncoder encoder, uint stream, HeaderList headers)
    {
        var buffer = new byte[HpackEncoder.MaxLength(headers)];
        var block = buffer[..encoder.Encode(headers, buffer)];
        var end = random.Next(4) == 0 ? 1 : 0;
        if (random.Next(3) != 0)
            return Frame(FrameType.HEADERS, 4 | end, stream, block);
        var cut = random.Next(block.Length);
        return Frame(FrameType.HEADERS, end, stream, block[..cut]).Concat(Frame(FrameType.CONTINUATION, 4, stream, block[cut..]));
    }

    private static byte[] Frame(FrameType type, int flags, uint stream, byte[] payload)
    {
        var frame = new byte[FrameHeader.Size + payload.Length];
        FrameHeader.Write(frame, payload.Length, type, (FrameFlags)flags, stream);
        payload.CopyTo(frame.AsSpan(FrameHeader.Size));
        return frame;
    }

    private static byte[] Number(uint value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, value);
        return bytes;
    }
}
