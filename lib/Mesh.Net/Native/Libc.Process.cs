using System.Runtime.InteropServices;

namespace Mesh.Net.Native;

internal static unsafe partial class Libc
{
    [LibraryImport(C, SetLastError = true)]
    internal static partial int setns(int fd, int namespaceType);

    [LibraryImport(C, SetLastError = true)]
    internal static partial int unshare(int flags);

    [LibraryImport(C, SetLastError = true)]
    internal static partial int statx(int directory, byte* path, int flags, uint mask, byte* result);

    [LibraryImport(C, SetLastError = true)]
    internal static partial int prctl(int option, nuint a, nuint b, nuint c, nuint d);

    [LibraryImport(C, SetLastError = true)]
    internal static partial int getrlimit(int resource, ulong* softAndHard);

    [LibraryImport(C, SetLastError = true)]
    internal static partial int setrlimit(int resource, ulong* softAndHard);

    [LibraryImport(C, SetLastError = true)]
    internal static partial int capget(uint* header, uint* data);

    [LibraryImport(C, SetLastError = true)]
    internal static partial int capset(uint* header, uint* data);

    [LibraryImport(C, SetLastError = true)]
    internal static partial int getppid();

    [LibraryImport(C)]
    internal static partial uint geteuid();

    [LibraryImport(C, SetLastError = true)]
    internal static partial int execve(byte* path, byte** arguments, byte** environment);

    internal const int CLONE_NEWNS = 0x20000;
    internal const int CLONE_NEWNET = 0x40000000;
    internal const int AT_EMPTY_PATH = 0x1000;
    internal const uint STATX_INO = 0x100;
    internal const int RLIMIT_NOFILE = 7;
    internal const int PR_SET_PDEATHSIG = 1;
    internal const int PR_SET_DUMPABLE = 4;
    internal const int PR_CAPBSET_DROP = 24;
    internal const int PR_SET_NO_NEW_PRIVS = 38;
    internal const int PR_CAP_AMBIENT = 47;
    internal const int PR_CAP_AMBIENT_RAISE = 2;
    internal const int PR_CAP_AMBIENT_CLEAR_ALL = 4;
    internal const uint LINUX_CAPABILITY_VERSION_3 = 0x20080522;
}
