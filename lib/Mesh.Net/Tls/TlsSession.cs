using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography.X509Certificates;
using Mesh.Net.Native;

namespace Mesh.Net.Tls;

/// <summary>What a call into OpenSSL came to.</summary>
internal enum TlsStatus : byte
{
    Done,
    WantRead,

    /// <summary>The peer said goodbye (close_notify).</summary>
    Ended,

    /// <summary>See the link (end or failure of the connection) and <see cref="TlsErrors.TakeQueue"/>.</summary>
    Failed,
}

/// <summary>One TLS connection of OpenSSL over a link. Loop thread only. Owns native memory: <see cref="Dispose"/> always comes, with the transport's end.</summary>
internal sealed unsafe class TlsSession : IDisposable
{
    /// <summary>Slot 0 is the application's own.</summary>
    private const int AppData = 0;

    private static readonly int s_storeIndex = LibSsl.SSL_get_ex_data_X509_STORE_CTX_idx();

    private readonly TlsContext _context; // keeps alive what OpenSSL reads during the handshake
    private PeerCheck? _check;
    private GCHandle _self;
    private nint _ssl;
    private bool _inside;
    private bool _disposed;

    internal TlsSession(TlsContext context, CipherLink link, PeerCheck check, bool isServer, string? serverName)
    {
        _context = context;
        _check = check;
        Link = link;
        _ssl = LibSsl.SSL_new(context.DangerousGetHandle());
        if (_ssl == 0)
            throw new TlsSetupException("OpenSSL makes no connection");
        _self = GCHandle.Alloc(this);
        var bio = CipherBio.Create(_self);
        LibSsl.SSL_set_bio(_ssl, bio, bio);
        _ = LibSsl.SSL_set_ex_data(_ssl, AppData, GCHandle.ToIntPtr(_self));
        if (isServer)
            LibSsl.SSL_set_accept_state(_ssl);
        else
            LibSsl.SSL_set_connect_state(_ssl);
        if (!string.IsNullOrEmpty(serverName))
            _ = LibSsl.SSL_ctrl(_ssl, LibSsl.SSL_CTRL_SET_TLSEXT_HOSTNAME, 0, serverName);
    }

    internal CipherLink Link { get; }

    internal string? Alpn
    {
        get
        {
            byte* protocol;
            uint length;
            LibSsl.SSL_get0_alpn_selected(_ssl, &protocol, &length);
            return length == 0 ? null : Marshal.PtrToStringUTF8((nint)protocol, (int)length);
        }
    }

    internal TlsStatus Handshake()
    {
        // The check of the peer runs code of others in here; it may end the connection.
        LibCrypto.ERR_clear_error();
        _inside = true;
        var result = LibSsl.SSL_do_handshake(_ssl);
        var status = result == 1 ? TlsStatus.Done : StatusOf(result);
        _inside = false;
        if (status == TlsStatus.Done)
            _check = null;
        if (_disposed)
            Free();
        return status;
    }

    /// <summary>At most one record.</summary>
    internal TlsStatus Read(Span<byte> buffer, out int count)
    {
        LibCrypto.ERR_clear_error();
        nuint read = 0;
        int result;
        fixed (byte* start = buffer)
            result = LibSsl.SSL_read_ex(_ssl, start, (nuint)buffer.Length, &read);
        count = (int)read;
        return result == 1 ? TlsStatus.Done : StatusOf(result);
    }

    /// <summary>Takes everything: the link never blocks.</summary>
    internal TlsStatus Write(ReadOnlySpan<byte> plaintext)
    {
        LibCrypto.ERR_clear_error();
        nuint written;
        int result;
        fixed (byte* start = plaintext)
            result = LibSsl.SSL_write_ex(_ssl, start, (nuint)plaintext.Length, &written);
        return result == 1 ? TlsStatus.Done : StatusOf(result);
    }

    /// <summary>Says close_notify. Not after a failure: OpenSSL forbids it.</summary>
    internal void SayGoodbye()
    {
        LibCrypto.ERR_clear_error();
        _ = LibSsl.SSL_shutdown(_ssl);
    }

    public void Dispose()
    {
        _disposed = true;
        if (!_inside && _ssl != 0)
            Free();
    }

    private void Free()
    {
        LibSsl.SSL_free(_ssl);
        _ssl = 0;
        _check = null;
        _self.Free();
        GC.KeepAlive(_context);
    }

    /// <summary>OpenSSL asks about the peer's certificate: the whole of the check is ours.</summary>
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    internal static int OnVerify(nint store, nint argument)
    {
        var ssl = LibCrypto.X509_STORE_CTX_get_ex_data(store, s_storeIndex);
        var session = Unsafe.As<TlsSession>(GCHandle.FromIntPtr(LibSsl.SSL_get_ex_data(ssl, AppData)).Target!);
        if (session._check is not { } check)
            return 0; // a second check would be a renegotiation, which is off
        var error = check.Run(store);
        if (error != 0)
            LibCrypto.X509_STORE_CTX_set_error(store, error);
        return error == 0 ? 1 : 0;
    }

    internal static X509Certificate2 Copy(nint certificate)
    {
        var length = LibCrypto.i2d_X509(certificate, null);
        if (length <= 0)
            throw new TlsSetupException("OpenSSL cannot write the peer's certificate");
        var encoded = new byte[length];
        fixed (byte* start = encoded)
        {
            var at = start;
            _ = LibCrypto.i2d_X509(certificate, &at);
        }

        return X509CertificateLoader.LoadCertificate(encoded);
    }

    private TlsStatus StatusOf(int result) => LibSsl.SSL_get_error(_ssl, result) switch
    {
        LibSsl.SSL_ERROR_WANT_READ => TlsStatus.WantRead,
        LibSsl.SSL_ERROR_ZERO_RETURN => TlsStatus.Ended,
        _ => TlsStatus.Failed,
    };
}
