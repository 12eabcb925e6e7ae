using Mesh.Net.Native;

namespace Mesh.Net;

public sealed unsafe partial class LoopSocket
{
    /// <summary>An attempt to receive is worthwhile.</summary>
    internal bool MayReceive => Readable || IsClosed;

    /// <summary>Moves bytes from the socket into a kernel pipe. <see cref="IoStatus.WouldBlock"/> means: the socket is empty or the pipe is full.</summary>
    internal IoStatus TrySpliceTo(int pipe, int limit, bool pipeIsEmpty, out int count)
    {
        count = 0;
        if (!Readable)
            return IsClosed ? Fail(Errno.EBADF) : IoStatus.WouldBlock;
        var moved = Libc.splice(Descriptor, null, pipe, null, (nuint)limit, Libc.SPLICE_F_MOVE | Libc.SPLICE_F_NONBLOCK);
        Verified = false;
        if (moved > 0)
        {
            count = (int)moved;
            return IoStatus.Done;
        }

        if (moved == 0)
            return IoStatus.EndOfStream;
        if (Errno.Last == Errno.EINTR)
            return IoStatus.Done;
        if (Errno.Last != Errno.EAGAIN)
            return Fail(Errno.Last);
        if (pipeIsEmpty)
            Readable = false;
        return IoStatus.WouldBlock;
    }

    /// <summary>Moves bytes from a kernel pipe that holds some into the socket.</summary>
    internal IoStatus TrySpliceFrom(int pipe, int length, out int count)
    {
        count = 0;
        if (!Writable)
            return IsClosed ? Fail(Errno.EBADF) : IoStatus.WouldBlock;
        var moved = Libc.splice(pipe, null, Descriptor, null, (nuint)length, Libc.SPLICE_F_MOVE | Libc.SPLICE_F_NONBLOCK);
        if (moved >= 0)
        {
            count = (int)moved;
            return IoStatus.Done;
        }

        if (Errno.Last == Errno.EINTR)
            return IoStatus.Done;
        if (Errno.Last != Errno.EAGAIN)
            return Fail(Errno.Last);
        Writable = false;
        return IoStatus.WouldBlock;
    }
}
