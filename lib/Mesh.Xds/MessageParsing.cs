using Google.Protobuf;

namespace Mesh.Xds;

/// <summary>Parses what a peer sent: one exception for everything that is wrong with it.</summary>
public static class MessageParsing
{
    /// <summary>Throws <see cref="MalformedMessageException"/>, and nothing else, for any bytes.</summary>
    public static T ParseUntrusted<T>(this MessageParser<T> parser, ReadOnlySpan<byte> bytes)
        where T : IMessage<T>
    {
        try
        {
            return parser.ParseFrom(bytes);
        }
        // Google.Protobuf 3.31 reports a wrapper (UInt32Value) that ends too early as InvalidOperationException; found by fuzzing.
        catch (Exception e) when (e is InvalidProtocolBufferException or InvalidOperationException)
        {
            throw new MalformedMessageException(e);
        }
    }
}

/// <summary>Bytes that are not the message they should be.</summary>
public sealed class MalformedMessageException(Exception inner) : Exception($"not a valid message: {inner.Message}", inner);
