using System.Runtime.InteropServices;

namespace Mesh.Net.Native;

/// <summary>The system calls of this library. Raw: callers check the result and read <see cref="Errno.Last"/>.</summary>
/// <remarks>Every call that can block is used on non-blocking descriptors only. Layouts hold for x86_64 and aarch64.</remarks>
internal static unsafe partial class Libc
{
    private const string C = "libc";

    [LibraryImport(C, SetLastError = true)]
    internal static partial int close(int fd);

    [LibraryImport(C, SetLastError = true)]
    internal static partial nint read(int fd, byte* buffer, nuint count);

    [LibraryImport(C, SetLastError = true)]
    internal static partial nint write(int fd, byte* buffer, nuint count);

    [LibraryImport(C, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int open(string path, int flags);

    [LibraryImport(C, SetLastError = true)]
    internal static partial int fcntl(int fd, int command, nint argument);

    [LibraryImport(C, SetLastError = true)]
    internal static partial int pipe2(int* fds, int flags);

    [LibraryImport(C, SetLastError = true)]
    internal static partial nint splice(int fdIn, long* offsetIn, int fdOut, long* offsetOut, nuint length, uint flags);

    [LibraryImport(C, SetLastError = true)]
    internal static partial int epoll_create1(int flags);

    [LibraryImport(C, SetLastError = true)]
    internal static partial int epoll_ctl(int epoll, int operation, int fd, void* epollEvent);

    [LibraryImport(C, SetLastError = true)]
    internal static partial int epoll_wait(int epoll, void* events, int maxEvents, int timeoutMilliseconds);

    [LibraryImport(C, SetLastError = true)]
    internal static partial int eventfd(uint initial, int flags);

    [LibraryImport(C)]
    internal static partial int sched_yield();

    [LibraryImport(C)]
    internal static partial int malloc_trim(nuint pad);

    internal const int O_RDONLY = 0;
    internal const int O_CLOEXEC = 0x80000;
    internal const int O_NONBLOCK = 0x800;
    internal const int F_DUPFD_CLOEXEC = 1030;
    internal const int F_SETPIPE_SZ = 1031;
    internal const int F_GETPIPE_SZ = 1032;
    internal const int EFD_CLOEXEC = 0x80000;
    internal const int EFD_NONBLOCK = 0x800;
    internal const int EPOLL_CLOEXEC = 0x80000;
    internal const int EPOLL_CTL_ADD = 1;
    internal const int EPOLL_CTL_DEL = 2;
    internal const uint EPOLLIN = 0x1;
    internal const uint EPOLLOUT = 0x4;
    internal const uint EPOLLERR = 0x8;
    internal const uint EPOLLHUP = 0x10;
    internal const uint EPOLLRDHUP = 0x2000;
    internal const uint EPOLLET = 1u << 31;
    internal const uint SPLICE_F_MOVE = 1;
    internal const uint SPLICE_F_NONBLOCK = 2;
}
