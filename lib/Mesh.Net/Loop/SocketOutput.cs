
namespace Mesh.Net.Loop;

/// <summary>What waits to be sent on one socket: straight to the kernel while that takes everything, else kept in one buffer of the loop's pool.</summary>
internal sealed class SocketOutput(LoopSocket socket)
{
    /// <summary>More than the kernel did not take: producers should stop. One turn's worth of bytes.</summary>
    internal const int CongestionLimit = 256 * 1024;

    private ByteQueue _queue = new(socket.Loop.Buffers);
    private bool _wasCongested;

    internal int Pending => _queue.Length;

    internal bool IsCongested => _queue.Length > CongestionLimit;

    /// <summary>Sending failed; see the socket's error. Nothing is taken any more.</summary>
    internal bool IsBroken { get; private set; }

    /// <summary>Takes bytes without sending: more are about to follow.</summary>
    internal void Append(ReadOnlySpan<byte> data)
    {
        if (!IsBroken)
            _queue.Append(data);
    }

    /// <summary>Makes room for what will be appended, so that the buffer grows at most once.</summary>
    internal void Reserve(int count)
    {
        if (!IsBroken)
            _queue.Reserve(count);
    }

    /// <summary>Sends now and keeps only what the kernel does not take.</summary>
    internal void Send(ReadOnlySpan<byte> data)
    {
        if (IsBroken)
            return;
        if (_queue.Length == 0)
        {
            switch (socket.TrySend(data, out var sent))
            {
                case IoStatus.Failed:
                    Break();
                    return;
                case IoStatus.Done:
                    data = data[sent..];
                    break;
            }
        }

        _queue.Append(data);
        _wasCongested |= IsCongested;
    }

    /// <summary>Sends what was appended, as far as the kernel takes it. True: producers that had to stop may go on.</summary>
    internal bool Flush()
    {
        _wasCongested |= IsCongested;
        while (_queue.Length > 0)
        {
            var status = socket.TrySend(_queue.Pending, out var sent);
            if (status == IoStatus.Failed)
            {
                Break();
                return false;
            }

            if (status == IoStatus.WouldBlock)
                return false;
            _queue.Advance(sent);
        }

        _queue.Release();
        var drained = _wasCongested;
        _wasCongested = false;
        return drained;
    }

    internal void Release() => _queue.Release();

    private void Break()
    {
        IsBroken = true;
        _queue.Release();
    }
}
