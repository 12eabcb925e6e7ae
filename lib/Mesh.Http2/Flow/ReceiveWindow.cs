using System.Diagnostics;

namespace Mesh.Http2.Flow;

/// <summary>
/// What we let the peer send. Every octet is in exactly one place: still available to the peer, in the owner's hands, or owed (given back by
/// the owner, not yet announced). An update is due when half of the window is owed, so that the peer can keep half a window in flight while
/// updates stay rare.
/// </summary>
internal struct ReceiveWindow(int size)
{
    private int _size = size;
    private int _available = size;
    private int _owed;

    public readonly int Available => _available;

    public readonly int Owed => _owed;

    public readonly bool IsDue => _owed >= _size - (_size >> 1);

    /// <summary>False: the peer sent more than it was given. An empty frame needs no credit, not even where the window is negative (6.9).</summary>
    public bool TryReceive(int count)
    {
        if (count > Math.Max(_available, 0))
            return false;
        _available -= count;
        return true;
    }

    public void Owe(int count)
    {
        Debug.Assert(count >= 0, "credit cannot be taken back");
        _owed += count;
    }

    /// <summary>The increment to announce now; zero when nothing is owed.</summary>
    public int TakeUpdate()
    {
        var increment = _owed;
        _available += increment;
        _owed = 0;
        return increment;
    }

    /// <summary>A larger window from the next update on.</summary>
    public void Widen(int by)
    {
        Debug.Assert(by >= 0, "a window only grows");
        _size += by;
        _owed += by;
    }

    /// <summary>The peer has acknowledged another initial size. The rest may become negative; the peer then has to wait for updates.</summary>
    public void Resize(int delta)
    {
        _size += delta;
        _available += delta;
    }
}
