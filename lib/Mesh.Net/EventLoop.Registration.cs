using Mesh.Net.Loop;
using Mesh.Net.Native;

namespace Mesh.Net;

public sealed partial class EventLoop
{
    // Loop thread only. epoll's data word is (generation, slot): an event that was fetched before its descriptor was closed finds another generation.
    private readonly Stack<int> _freeSlots = new();
    private (LoopDescriptor? Owner, uint Generation)[] _slots = new (LoopDescriptor?, uint)[64];
    private int _slotCount;
    private int _reserve;              // given up for a moment when the process has no descriptor left
    private NetworkNamespace? _home;   // where the loop's thread lives; opened before the first visit elsewhere
    private PipePool? _pipes;
    private bool _closing;

    /// <summary>The namespace of the loop's own thread.</summary>
    internal NetworkNamespace Home => _home ??= NetworkNamespace.Current();

    internal PipePool Pipes => _pipes ??= new PipePool();

    /// <summary>Watches a descriptor for both directions, edge-triggered, for as long as it is open.</summary>
    internal void Register(LoopDescriptor owner)
    {
        EnsureInLoop();
        if (_closing)
        {
            // Who is told of an ending may want to connect anew at once; that would never end.
            owner.Dispose();
            throw new SocketFailureException(Errno.ECANCELED, $"use loop '{Name}', which is ending", owner.ToString());
        }

        if (!_freeSlots.TryPop(out var slot))
        {
            slot = _slotCount++;
            if (slot == _slots.Length)
                Array.Resize(ref _slots, slot * 2);
        }

        ref var entry = ref _slots[slot];
        entry.Owner = owner;
        owner.Slot = slot;
        Metrics.CountSocket(1);
        var data = ((ulong)entry.Generation << 32) | (uint)slot;
        var events = Libc.EPOLLIN | Libc.EPOLLOUT | Libc.EPOLLRDHUP | Libc.EPOLLET;
        if (EpollEvents.Add(_epoll, owner.Descriptor, events, data) < 0)
        {
            var error = Errno.Last;
            owner.Dispose();
            throw new SocketFailureException(error, "watch a socket with epoll", owner.ToString());
        }
    }

    internal void Unregister(LoopDescriptor owner)
    {
        if (owner.Slot < 0)
            return;
        ref var entry = ref _slots[owner.Slot];
        entry.Owner = null;

        // Never the wake-up descriptor's word.
        entry.Generation = (entry.Generation + 1) & 0x7FFF_FFFF;
        _freeSlots.Push(owner.Slot);
        Metrics.CountSocket(-1);
    }

    /// <summary>Stops watching a descriptor that stays open.</summary>
    internal void Forget(LoopDescriptor owner)
    {
        EpollEvents.Remove(_epoll, owner.Descriptor);
        Unregister(owner);
    }

    /// <summary>Closes the reserve descriptor so that one connection can be accepted and refused; <see cref="TakeReserve"/> gets it back.</summary>
    internal bool GiveUpReserve()
    {
        if (_reserve < 0)
            return false;
        _ = Libc.close(_reserve);
        _reserve = -1;
        return true;
    }

    internal void TakeReserve()
    {
        if (_reserve < 0)
            _reserve = Libc.open("/dev/null", Libc.O_RDONLY | Libc.O_CLOEXEC);
    }

    private void Deliver(ulong data, uint events)
    {
        if (data == WakeData)
            return;
        ref var entry = ref _slots[(int)(uint)data];
        if (entry.Owner is not { } owner || entry.Generation != (uint)(data >> 32))
            return;
        try
        {
            owner.OnEvents(events);
        }
        catch (Exception e)
        {
            Unhandled(e, owner);
        }
    }

    private void CloseAllDescriptors()
    {
        _closing = true;
        for (var i = 0; i < _slotCount; i++)
        {
            try
            {
                _slots[i].Owner?.Dispose();
            }
            catch (Exception e)
            {
                Unhandled(e, "closing the sockets of a loop that stops");
            }
        }
    }
}
