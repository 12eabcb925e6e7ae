namespace Mesh.Http2;

public sealed class Http2Stream
{
    internal Http2Stream(Http2Connection connection, uint id)
    {
        Connection = connection;
        Id = id;
    }

    public uint Id { get; }

    public Http2Connection Connection { get; }

    public object? UserState { get; set; }

    public Http2StreamState State { get; private set; }

    public int SendCredit => 0;

    public int UnconsumedBytes => 0;

    public void SendHeaders(HeaderList headers, bool endStream) => ArgumentNullException.ThrowIfNull(headers);

    public int Write(ReadOnlySpan<byte> data, bool endStream = false) => 0;

    public Span<byte> GetDataBuffer(int sizeHint) => default;

    public void CommitData(int count, bool endStream = false) => ArgumentOutOfRangeException.ThrowIfNegative(count);

    public void EndStream() => Write(default, endStream: true);

    public void Reset(Http2ErrorCode code) => State = code == Http2ErrorCode.NO_ERROR ? State : Http2StreamState.Closed;

    public void Consume(int bytes) => ArgumentOutOfRangeException.ThrowIfNegative(bytes);
}
