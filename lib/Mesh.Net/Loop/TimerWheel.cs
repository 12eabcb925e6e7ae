using System.Numerics;

namespace Mesh.Net.Loop;

/// <summary>Hierarchical timer wheel over abstract ticks: adding and cancelling are O(1), the next deadline is found by bit scans.</summary>
/// <remarks>
/// Six levels of 64 slots. A timer lives on the level of the highest 6-bit digit in which its due tick differs from the current
/// tick, in the slot of that digit. So on every level only slots behind the current digit are occupied, and a lower level is always due
/// before a higher one. When the wheel arrives at a slot of a higher level, its timers move down (cascade).
/// Pure: no clock, no thread. Timers of one tick fire in no particular order; ticks fire in order.
/// </remarks>
internal sealed class TimerWheel
{
    private const int Bits = 6;
    private const int Slots = 1 << Bits;
    private const int Levels = 6;

    /// <summary>21 years of 10 ms ticks; later timers are set to this.</summary>
    internal const long MaxTick = (1L << (Bits * Levels)) - 1;

    private readonly LoopTimer?[] _heads = new LoopTimer?[Slots * Levels];
    private readonly ulong[] _occupied = new ulong[Levels];
    private long _current;
    private LoopTimer? _due;

    internal long Current => _current;

    internal int Count { get; private set; }

    internal void Add(LoopTimer timer, long dueTick)
    {
        timer.DueTick = Math.Clamp(dueTick, _current + 1, MaxTick);
        Insert(timer);
        Count++;
    }

    internal void Remove(LoopTimer timer)
    {
        Unlink(timer);
        Count--;
    }

    /// <summary>The tick at which <see cref="Advance"/> has something to do (fire or cascade), or -1 when the wheel is empty.</summary>
    internal long NextTick()
    {
        for (var level = 0; level < Levels; level++)
        {
            if (_occupied[level] != 0)
                return SlotStart(level, BitOperations.TrailingZeroCount(_occupied[level]));
        }

        return -1;
    }

    /// <summary>Moves to <paramref name="tick"/> and hands every timer due until then to <paramref name="fire"/>, which may add and remove timers.</summary>
    internal void Advance<TState>(long tick, TState state, Action<TState, LoopTimer> fire)
    {
        while (true)
        {
            while (_due is { } timer)
            {
                Remove(timer);
                fire(state, timer);
            }

            var next = NextTick();
            if (next < 0 || next > tick)
                break;
            _current = next;
            Empty(next);
        }

        // No occupied slot starts at or before tick, so every timer keeps its level and slot.
        _current = Math.Max(_current, tick);
    }

    /// <summary>Takes the first occupied slot apart: what is due goes to the due list, the rest to lower levels.</summary>
    private void Empty(long start)
    {
        var level = 0;
        while (_occupied[level] == 0)
            level++;
        var slot = BitOperations.TrailingZeroCount(_occupied[level]);
        var timer = _heads[(level * Slots) + slot];
        _heads[(level * Slots) + slot] = null;
        _occupied[level] &= ~(1UL << slot);
        while (timer is not null)
        {
            var next = timer.Next;
            timer.Next = timer.Previous = null;
            if (timer.DueTick <= start)
                Link(ref _due, timer, LoopTimer.DueSlot);
            else
                Insert(timer);
            timer = next;
        }
    }

    private long SlotStart(int level, int slot)
    {
        var shift = level * Bits;
        return (_current & ~((1L << (shift + Bits)) - 1)) | ((long)slot << shift);
    }

    private void Insert(LoopTimer timer)
    {
        var level = BitOperations.Log2((ulong)(_current ^ timer.DueTick)) / Bits;
        var slot = (int)(timer.DueTick >> (level * Bits)) & (Slots - 1);
        _occupied[level] |= 1UL << slot;
        Link(ref _heads[(level * Slots) + slot], timer, (level * Slots) + slot);
    }

    private static void Link(ref LoopTimer? head, LoopTimer timer, int slot)
    {
        timer.Slot = slot;
        timer.Next = head;
        if (head is not null)
            head.Previous = timer;
        head = timer;
    }

    private void Unlink(LoopTimer timer)
    {
        if (timer.Next is not null)
            timer.Next.Previous = timer.Previous;
        if (timer.Previous is not null)
        {
            timer.Previous.Next = timer.Next;
        }
        else if (timer.Slot == LoopTimer.DueSlot)
        {
            _due = timer.Next;
        }
        else
        {
            _heads[timer.Slot] = timer.Next;
            if (timer.Next is null)
                _occupied[timer.Slot / Slots] &= ~(1UL << (timer.Slot % Slots));
        }

        timer.Next = timer.Previous = null;
        timer.Slot = LoopTimer.NoSlot;
    }
}
