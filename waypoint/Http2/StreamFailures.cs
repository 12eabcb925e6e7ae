using Mesh.Http2;

namespace Mesh.Waypoint.Http2;

/// <summary>The application has reset the stream.</summary>
internal class StreamResetException(Http2ErrorCode code) : IOException($"the application reset the stream: {code}")
{
    public Http2ErrorCode Code { get; } = code;
}

/// <summary>The application has seen nothing of the request: its connection was full or ending (RFC 9113, 6.8 and 8.7).</summary>
internal sealed class StreamNotProcessedException() : StreamResetException(Http2ErrorCode.REFUSED_STREAM);

/// <summary>The connection ended before the stream did.</summary>
internal sealed class ConnectionEndedException(Exception? inner) : IOException("the connection ended before its stream", inner);
