using Mesh.Net.Native;

namespace Mesh.Net.Loop;

/// <summary>A kernel pipe as carrier of spliced bytes.</summary>
internal sealed class KernelPipe(int readEnd, int writeEnd, int capacity)
{
    internal int ReadEnd { get; } = readEnd;

    internal int WriteEnd { get; } = writeEnd;

    internal int Capacity { get; } = capacity;

    internal int Content { get; set; }

    internal void Close()
    {
        _ = Libc.close(ReadEnd);
        _ = Libc.close(WriteEnd);
    }
}

/// <summary>Empty pipes of one loop. A connection holds one only while bytes are on their way through it, so idle connections cost no descriptor.</summary>
internal sealed class PipePool : IDisposable
{
    private const int Kept = 16;

    /// <summary>
    /// Room of a pipe: what one connection may move per iteration. Refused above the user's limit (pipe-user-pages-soft); then the default of 64 KiB
    /// stays.
    /// </summary>
    private const int WantedCapacity = 256 * 1024;

    private readonly Stack<KernelPipe> _free = new();

    /// <summary>Null: no descriptor left (or another error, in <see cref="Errno.Last"/>).</summary>
    internal unsafe KernelPipe? Rent()
    {
        if (_free.TryPop(out var pipe))
            return pipe;
        var fds = stackalloc int[2];
        if (Libc.pipe2(fds, Libc.O_CLOEXEC | Libc.O_NONBLOCK) < 0)
            return null;
        if (Libc.fcntl(fds[1], Libc.F_SETPIPE_SZ, WantedCapacity) < 0)
            return new KernelPipe(fds[0], fds[1], Libc.fcntl(fds[1], Libc.F_GETPIPE_SZ, 0));
        return new KernelPipe(fds[0], fds[1], WantedCapacity);
    }

    /// <summary>Takes a pipe back; one that still holds bytes of a broken connection must never carry another one's.</summary>
    internal void Return(KernelPipe pipe)
    {
        if (pipe.Content == 0 && _free.Count < Kept)
            _free.Push(pipe);
        else
            pipe.Close();
    }

    public void Dispose()
    {
        while (_free.TryPop(out var pipe))
            pipe.Close();
    }
}
