using Mesh.Net.Loop;

namespace Mesh.Net.Tls;

/// <summary>Ciphertext over a socket of the loop.</summary>
internal sealed class SocketLink : CipherLink, ISocketHandler, ISocketOwner
{
    private readonly LoopSocket _socket;
    private readonly SocketOutput _output;
    private ICipherOwner? _owner;

    internal SocketLink(LoopSocket socket)
    {
        _socket = socket;
        _output = new SocketOutput(socket);
    }

    internal override EventLoop Loop => _socket.Loop;

    internal override LoopSocket? Socket => _socket;

    internal override int PendingBytes => _output.Pending;

    internal override bool IsCongested => _output.IsCongested;

    internal override bool IsBroken => _output.IsBroken;

    internal override (TransportEnding Ending, string Detail) Failure =>
        (_socket.IsReset ? TransportEnding.Reset : TransportEnding.Failed, $"connection with {_socket.RemoteEndPoint}: {_socket.LastErrorText}");

    internal override void Start(ICipherOwner owner)
    {
        _owner = owner;
        _socket.Handler = this;
    }

    internal override void Reserve(int count) => _output.Reserve(count);

    internal override void Send() => _output.Flush();

    internal override void CloseAfterFlush(Action? done)
    {
        _owner = null;
        if (_socket.IsClosed)
            done?.Invoke();
        else
            LingeringClose.Begin(_socket, _output, done);
    }

    internal override void Abort()
    {
        _owner = null;
        _output.Release();
        _socket.Abort();
    }

    void ISocketHandler.OnReadable() => _owner?.OnCipherReadable();

    void ISocketHandler.OnWritable()
    {
        if (_output.Flush())
            _owner?.OnCipherDrained();
        else if (_output.IsBroken)
            _owner?.OnCipherReadable();
    }

    void ISocketOwner.OnSocketClosed()
    {
        _output.Release();
        _owner?.OnCipherClosed();
    }

    internal override void Append(ReadOnlySpan<byte> ciphertext)
    {
        if (SendAtOnce)
            _output.Send(ciphertext);
        else
            _output.Append(ciphertext);
    }

    private protected override IoStatus TryRead(Span<byte> buffer, out int count) => _socket.TryReceive(buffer, out count);
}
