using System.Runtime.InteropServices;

namespace Mesh.Net.Native;

/// <summary>What <see cref="LibSsl"/> needs besides: certificates and keys from their encodings, a BIO of our own, the error queue of the thread.</summary>
internal static unsafe partial class LibCrypto
{
    private const string Crypto = "libcrypto.so.3";

    internal const int BIO_TYPE_SOURCE_SINK = 0x0400;
    internal const int BIO_CTRL_EOF = 2;
    internal const int BIO_CTRL_FLUSH = 11;
    internal const int BIO_FLAGS_READ_RETRY = 0x01 | 0x08;
    internal const int BIO_FLAGS_ALL_RETRY = 0x0F;

    [LibraryImport(Crypto)]
    internal static partial int BIO_get_new_index();

    [LibraryImport(Crypto, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial nint BIO_meth_new(int type, string name);

    [LibraryImport(Crypto)]
    internal static partial int BIO_meth_set_read(nint method, delegate* unmanaged[Cdecl]<nint, byte*, int, int> read);

    [LibraryImport(Crypto)]
    internal static partial int BIO_meth_set_write(nint method, delegate* unmanaged[Cdecl]<nint, byte*, int, int> write);

    [LibraryImport(Crypto)]
    internal static partial int BIO_meth_set_ctrl(nint method, delegate* unmanaged[Cdecl]<nint, int, nint, nint, nint> control);

    [LibraryImport(Crypto)]
    internal static partial nint BIO_new(nint method);

    [LibraryImport(Crypto)]
    [SuppressGCTransition]
    internal static partial void BIO_set_init(nint bio, int initialised);

    [LibraryImport(Crypto)]
    [SuppressGCTransition]
    internal static partial void BIO_set_data(nint bio, nint data);

    [LibraryImport(Crypto)]
    [SuppressGCTransition]
    internal static partial nint BIO_get_data(nint bio);

    [LibraryImport(Crypto)]
    [SuppressGCTransition]
    internal static partial void BIO_set_flags(nint bio, int flags);

    [LibraryImport(Crypto)]
    [SuppressGCTransition]
    internal static partial void BIO_clear_flags(nint bio, int flags);

    [LibraryImport(Crypto)]
    internal static partial nint d2i_X509(nint certificate, byte** der, nint length);

    [LibraryImport(Crypto)]
    internal static partial int i2d_X509(nint certificate, byte** der);

    [LibraryImport(Crypto)]
    internal static partial void X509_free(nint certificate);

    [LibraryImport(Crypto)]
    internal static partial nint d2i_AutoPrivateKey(nint key, byte** der, nint length);

    [LibraryImport(Crypto)]
    internal static partial void EVP_PKEY_free(nint key);

    [LibraryImport(Crypto)]
    internal static partial nint X509_STORE_CTX_get_ex_data(nint store, int index);

    [LibraryImport(Crypto)]
    internal static partial nint X509_STORE_CTX_get0_cert(nint store);

    [LibraryImport(Crypto)]
    internal static partial nint X509_STORE_CTX_get0_untrusted(nint store);

    [LibraryImport(Crypto)]
    internal static partial void X509_STORE_CTX_set_error(nint store, int error);

    [LibraryImport(Crypto)]
    internal static partial int OPENSSL_sk_num(nint stack);

    [LibraryImport(Crypto)]
    internal static partial nint OPENSSL_sk_value(nint stack, int index);

    [LibraryImport(Crypto)]
    [SuppressGCTransition]
    internal static partial void ERR_clear_error();

    [LibraryImport(Crypto)]
    internal static partial ulong ERR_get_error();

    [LibraryImport(Crypto)]
    internal static partial void ERR_error_string_n(ulong error, byte* text, nuint length);
}
