using System.IO.Pipelines;
using System.Net.Security;
using System.Security.Authentication;

namespace Mesh.Identity.Tests.Tls;

/// <summary>How one side of a handshake ended, and what it read afterwards.</summary>
internal sealed record SideResult(string? Error, string? Alert, string Alpn, SslProtocols Protocol, TlsCipherSuite? Suite)
{
    public bool Succeeded => Error is null;
}

/// <summary>Two SslStreams over in-memory pipes.</summary>
internal static class HandshakePair
{
    /// <summary>
    /// Runs both sides. In TLS 1.3 a client is done before the server has looked at its certificate; it therefore reads one byte, which
    /// the server sends only after it has agreed.
    /// </summary>
    public static async Task<(SideResult Client, SideResult Server)> RunAsync(SslClientAuthenticationOptions client, SslServerAuthenticationOptions server)
    {
        var (near, far) = Connect();
        await using var clientTls = new SslStream(near);
        await using var serverTls = new SslStream(far);
        var clientSide = RunSideAsync(clientTls, near, async () =>
        {
            await clientTls.AuthenticateAsClientAsync(client);
            if (await clientTls.ReadAsync(new byte[1]) == 0)
                throw new IOException("closed by the server");
        });
        var serverSide = RunSideAsync(serverTls, far, async () =>
        {
            await serverTls.AuthenticateAsServerAsync(server);
            await serverTls.WriteAsync(new byte[1]);
        });
        return (await clientSide, await serverSide);
    }

    public static (Stream Near, Stream Far) Connect()
    {
        var there = new Pipe();
        var back = new Pipe();
        return (new DuplexStream(back.Reader, there.Writer), new DuplexStream(there.Reader, back.Writer));
    }

    private static async Task<SideResult> RunSideAsync(SslStream tls, Stream transport, Func<Task> handshake)
    {
        try
        {
            await handshake();
            return new(null, null, tls.NegotiatedApplicationProtocol.ToString(), tls.SslProtocol, tls.NegotiatedCipherSuite);
        }
        catch (Exception e) when (e is AuthenticationException or IOException)
        {
            await transport.DisposeAsync();
            var text = e.ToString();
            var at = text.IndexOf(" alert ", StringComparison.Ordinal);
            var alert = at < 0 ? null : text[(at + 7)..].Split('\n')[0].Trim();
            return new(e.Message, alert, "", SslProtocols.None, null);
        }
    }

    private sealed class DuplexStream(PipeReader reader, PipeWriter writer) : Stream
    {
        private readonly Stream _in = reader.AsStream();
        private readonly Stream _out = writer.AsStream();

        public override bool CanRead => true;

        public override bool CanWrite => true;

        public override bool CanSeek => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => _in.ReadAsync(buffer, cancellationToken);

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => _out.WriteAsync(buffer, cancellationToken);

        public override Task FlushAsync(CancellationToken cancellationToken) => _out.FlushAsync(cancellationToken);

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            reader.Complete();
            writer.Complete();
            base.Dispose(disposing);
        }
    }
}
