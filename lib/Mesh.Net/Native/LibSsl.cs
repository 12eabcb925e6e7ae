using System.Runtime.InteropServices;

namespace Mesh.Net.Native;

/// <summary>The part of OpenSSL 3 that TLS needs: the library that .NET itself loads. Raw; callers check results and ask <see cref="LibCrypto"/> for errors.</summary>
internal static unsafe partial class LibSsl
{
    private const string Ssl = "libssl.so.3";

    internal const int SSL_ERROR_WANT_READ = 2;
    internal const int SSL_ERROR_ZERO_RETURN = 6;

    internal const int SSL_VERIFY_NONE = 0;
    internal const int SSL_VERIFY_PEER = 1;
    internal const int SSL_VERIFY_FAIL_IF_NO_PEER_CERT = 2;

    internal const int SSL_CTRL_MODE = 33;
    internal const int SSL_CTRL_SET_READ_AHEAD = 41;
    internal const int SSL_CTRL_SET_SESS_CACHE_MODE = 44;
    internal const int SSL_CTRL_SET_TLSEXT_HOSTNAME = 55;
    internal const int SSL_CTRL_CHAIN_CERT = 89;
    internal const int SSL_CTRL_SET_MIN_PROTO_VERSION = 123;
    internal const int SSL_CTRL_SET_MAX_PROTO_VERSION = 124;

    /// <summary>Record buffers exist only while something is in them.</summary>
    internal const int SSL_MODE_RELEASE_BUFFERS = 0x10;

    internal const ulong SSL_OP_NO_TICKET = 1UL << 14;
    internal const ulong SSL_OP_NO_COMPRESSION = 1UL << 17;
    internal const ulong SSL_OP_NO_RENEGOTIATION = 1UL << 30;

    internal const int TLS1_2_VERSION = 0x0303;
    internal const int TLS1_3_VERSION = 0x0304;

    internal const int SSL_TLSEXT_ERR_OK = 0;
    internal const int SSL_TLSEXT_ERR_ALERT_FATAL = 2;
    internal const int SSL_TLSEXT_ERR_NOACK = 3;

    [LibraryImport(Ssl)]
    internal static partial nint TLS_method();

    [LibraryImport(Ssl)]
    internal static partial nint SSL_CTX_new(nint method);

    [LibraryImport(Ssl)]
    internal static partial void SSL_CTX_free(nint context);

    [LibraryImport(Ssl)]
    internal static partial ulong SSL_CTX_set_options(nint context, ulong options);

    [LibraryImport(Ssl)]
    internal static partial nint SSL_CTX_ctrl(nint context, int command, nint number, nint pointer);

    [LibraryImport(Ssl, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int SSL_CTX_set_ciphersuites(nint context, string names);

    [LibraryImport(Ssl, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int SSL_CTX_set_cipher_list(nint context, string names);

    [LibraryImport(Ssl)]
    internal static partial int SSL_CTX_use_certificate(nint context, nint certificate);

    [LibraryImport(Ssl)]
    internal static partial int SSL_CTX_use_PrivateKey(nint context, nint key);

    [LibraryImport(Ssl)]
    internal static partial int SSL_CTX_add_client_CA(nint context, nint certificate);

    [LibraryImport(Ssl)]
    internal static partial void SSL_CTX_set_verify(nint context, int mode, nint callback);

    [LibraryImport(Ssl)]
    internal static partial void SSL_CTX_set_cert_verify_callback(nint context, delegate* unmanaged[Cdecl]<nint, nint, int> callback, nint argument);

    [LibraryImport(Ssl)]
    internal static partial int SSL_CTX_set_alpn_protos(nint context, byte* protocols, uint length);

    [LibraryImport(Ssl)]
    internal static partial void SSL_CTX_set_alpn_select_cb(nint context, delegate* unmanaged[Cdecl]<nint, byte**, byte*, byte*, uint, nint, int> callback, nint argument);

    [LibraryImport(Ssl)]
    internal static partial int SSL_CTX_set_num_tickets(nint context, nuint count);

    [LibraryImport(Ssl)]
    internal static partial void SSL_CTX_set_default_read_buffer_len(nint context, nuint length);

    [LibraryImport(Ssl)]
    internal static partial nint SSL_new(nint context);

    [LibraryImport(Ssl)]
    internal static partial void SSL_free(nint ssl);

    [LibraryImport(Ssl)]
    internal static partial void SSL_set_bio(nint ssl, nint readFrom, nint writeTo);

    [LibraryImport(Ssl)]
    internal static partial void SSL_set_accept_state(nint ssl);

    [LibraryImport(Ssl)]
    internal static partial void SSL_set_connect_state(nint ssl);

    [LibraryImport(Ssl, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial nint SSL_ctrl(nint ssl, int command, nint number, string pointer);

    [LibraryImport(Ssl)]
    internal static partial int SSL_do_handshake(nint ssl);

    [LibraryImport(Ssl)]
    internal static partial int SSL_read_ex(nint ssl, byte* buffer, nuint length, nuint* count);

    [LibraryImport(Ssl)]
    internal static partial int SSL_write_ex(nint ssl, byte* buffer, nuint length, nuint* count);

    [LibraryImport(Ssl)]
    internal static partial int SSL_shutdown(nint ssl);

    [LibraryImport(Ssl)]
    internal static partial int SSL_get_error(nint ssl, int result);

    [LibraryImport(Ssl)]
    internal static partial int SSL_set_ex_data(nint ssl, int index, nint data);

    [LibraryImport(Ssl)]
    internal static partial nint SSL_get_ex_data(nint ssl, int index);

    [LibraryImport(Ssl)]
    internal static partial int SSL_get_ex_data_X509_STORE_CTX_idx();

    [LibraryImport(Ssl)]
    internal static partial void SSL_get0_alpn_selected(nint ssl, byte** protocol, uint* length);
}
