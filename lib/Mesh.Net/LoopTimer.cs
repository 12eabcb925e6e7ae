namespace Mesh.Net;

/// <summary>
/// One timer of a loop's wheel. Created by <see cref="EventLoop.Schedule(TimeSpan, Action)"/> or <see cref="EventLoop.CreateTimer"/>; its loop's
/// thread only.
/// </summary>
/// <remarks>Never fires early; fires at most one tick (10 ms) plus the length of an iteration late. Starting it again moves it without allocating.</remarks>
public sealed class LoopTimer
{
    internal const int NoSlot = -1;
    internal const int DueSlot = -2;

    private readonly EventLoop _loop;

    internal LoopTimer(EventLoop loop, Action<object?> callback, object? state)
    {
        _loop = loop;
        Callback = callback;
        State = state;
    }

    /// <summary>Waiting to fire.</summary>
    public bool IsActive => Slot != NoSlot;

    internal Action<object?> Callback { get; }

    internal object? State { get; }

    // Owned by the wheel: intrusive list of one slot.
    internal LoopTimer? Next { get; set; }

    internal LoopTimer? Previous { get; set; }

    internal int Slot { get; set; } = NoSlot;

    internal long DueTick { get; set; }

    /// <summary>(Re)starts the timer: it fires once, <paramref name="delay"/> from now.</summary>
    public void Start(TimeSpan delay) => _loop.StartTimer(this, delay);

    /// <summary>The callback will not run any more (unless started again). Harmless when it has fired.</summary>
    public void Cancel() => _loop.CancelTimer(this);
}
