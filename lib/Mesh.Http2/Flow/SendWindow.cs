using Mesh.Http2.Framing;

namespace Mesh.Http2.Flow;

/// <summary>
/// What the peer lets us send, as it sees it. A SETTINGS frame that lowers INITIAL_WINDOW_SIZE may make it negative (RFC 9113, 6.9.2):
/// 65535 granted, 60000 sent, then lowered to 16384 leaves -43616, and updates must bring it above zero before another octet goes out.
/// </summary>
internal struct SendWindow(int initial)
{
    public int Available { get; private set; } = initial;

    public void Spend(int count) => Available -= count;

    /// <summary>False: the sum exceeds 2^31-1, which 6.9.1 forbids. The window is then unchanged.</summary>
    public bool TryIncrease(long delta)
    {
        var sum = Available + delta;
        if (sum is > Protocol.MaxWindow or < int.MinValue)
            return false;
        Available = (int)sum;
        return true;
    }
}
