using System.Runtime.InteropServices;

namespace Mesh.Net.Native;

/// <summary>The array that <c>epoll_wait</c> fills, outside of the managed heap.</summary>
/// <remarks><c>struct epoll_event</c> is packed to 12 bytes on x86_64 only; everywhere else it is 16 bytes with the data at offset 8.</remarks>
internal sealed unsafe class EpollEvents : IDisposable
{
    private static readonly bool s_packed = RuntimeInformation.ProcessArchitecture == Architecture.X64;
    private static readonly int s_stride = s_packed ? 12 : 16;
    private static readonly int s_dataOffset = s_packed ? 4 : 8;
    private byte* _memory;

    internal EpollEvents(int capacity)
    {
        Capacity = capacity;
        _memory = (byte*)NativeMemory.AllocZeroed((nuint)(capacity * s_stride));
    }

    internal int Capacity { get; }

    internal int Wait(int epoll, int timeoutMilliseconds) => Libc.epoll_wait(epoll, _memory, Capacity, timeoutMilliseconds);

    internal uint EventsAt(int index) => *(uint*)(_memory + (index * s_stride));

    internal ulong DataAt(int index) => *(ulong*)(_memory + (index * s_stride) + s_dataOffset);

    internal static int Add(int epoll, int fd, uint events, ulong data)
    {
        var record = stackalloc byte[16];
        *(uint*)record = events;
        *(ulong*)(record + s_dataOffset) = data;
        return Libc.epoll_ctl(epoll, Libc.EPOLL_CTL_ADD, fd, record);
    }

    internal static void Remove(int epoll, int fd)
    {
        var ignored = stackalloc byte[16]; // before Linux 2.6.9 a null pointer was an error
        _ = Libc.epoll_ctl(epoll, Libc.EPOLL_CTL_DEL, fd, ignored);
    }

    public void Dispose()
    {
        NativeMemory.Free(_memory);
        _memory = null;
    }
}
