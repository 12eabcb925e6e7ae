using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Mesh.Net.Loop;
using Mesh.Net.Native;

namespace Mesh.Net.Tls;

/// <summary>OpenSSL's view of a <see cref="CipherLink"/>: it receives straight into OpenSSL's record buffer and sends straight from it.</summary>
/// <remarks>The data of a BIO is the handle of its <see cref="TlsSession"/>, which outlives it. The callbacks run inside SSL_* calls on the loop's thread.</remarks>
internal static unsafe class CipherBio
{
    private static readonly nint s_method = CreateMethod();

    internal static nint Create(GCHandle session)
    {
        var bio = LibCrypto.BIO_new(s_method);
        if (bio == 0)
            throw new TlsSetupException("OpenSSL makes no BIO");
        LibCrypto.BIO_set_data(bio, GCHandle.ToIntPtr(session));
        LibCrypto.BIO_set_init(bio, 1);
        return bio;
    }

    private static nint CreateMethod()
    {
        var method = LibCrypto.BIO_meth_new(LibCrypto.BIO_get_new_index() | LibCrypto.BIO_TYPE_SOURCE_SINK, "mesh loop");
        if (method == 0)
            throw new TlsSetupException("OpenSSL makes no BIO method");
        _ = LibCrypto.BIO_meth_set_read(method, &Read);
        _ = LibCrypto.BIO_meth_set_write(method, &Write);
        _ = LibCrypto.BIO_meth_set_ctrl(method, &Control);
        return method;
    }

    private static TlsSession Session(nint bio) => Unsafe.As<TlsSession>(GCHandle.FromIntPtr(LibCrypto.BIO_get_data(bio)).Target!);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Read(nint bio, byte* buffer, int length)
    {
        LibCrypto.BIO_clear_flags(bio, LibCrypto.BIO_FLAGS_ALL_RETRY);
        switch (Session(bio).Link.Read(new Span<byte>(buffer, length), out var count))
        {
            case IoStatus.Done:
                return count;
            case IoStatus.WouldBlock:
                LibCrypto.BIO_set_flags(bio, LibCrypto.BIO_FLAGS_READ_RETRY);
                return -1;
            case IoStatus.EndOfStream:
                return 0;
            default:
                return -1;
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Write(nint bio, byte* buffer, int length)
    {
        LibCrypto.BIO_clear_flags(bio, LibCrypto.BIO_FLAGS_ALL_RETRY);
        Session(bio).Link.Append(new ReadOnlySpan<byte>(buffer, length));
        return length;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint Control(nint bio, int command, nint number, nint pointer) => command switch
    {
        LibCrypto.BIO_CTRL_FLUSH => 1,
        LibCrypto.BIO_CTRL_EOF => Session(bio).Link.EndSeen ? 1 : 0,
        _ => 0,
    };
}
