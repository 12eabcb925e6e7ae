namespace Mesh.Http2;

/// <summary>How a stream that is no longer in the table came to its end: it decides what a late frame on it means (RFC 9113, 5.1).</summary>
internal enum StreamEnd : byte
{
    /// <summary>Skipped by its opener, or too long ago to know.</summary>
    Unknown,

    /// <summary>Both sides sent END_STREAM.</summary>
    Finished,

    /// <summary>We reset or refused it; frames that were under way are to be expected.</summary>
    ResetByUs,
    ResetByPeer,
}

/// <summary>Memory of the latest <see cref="Remembered"/> streams, one octet each, allocated when the first of them ends.</summary>
internal sealed class ClosedStreams
{
    public const int Remembered = 512;

    private byte[]? _ends;
    private uint _newest;

    /// <summary>A higher stream identifier was seen; those in between are skipped for good.</summary>
    public void Advance(uint id)
    {
        if (_ends is not null)
        {
            var steps = Math.Min((id - _newest) / 2, Remembered);
            for (uint i = 0; i < steps; i++)
                _ends[Slot(id - (2 * i))] = (byte)StreamEnd.Unknown;
        }

        _newest = id;
    }

    public void Remember(uint id, StreamEnd end)
    {
        if (!IsRecent(id))
            return;
        _ends ??= new byte[Remembered];
        _ends[Slot(id)] = (byte)end;
    }

    public StreamEnd Find(uint id) => _ends is not null && IsRecent(id) ? (StreamEnd)_ends[Slot(id)] : StreamEnd.Unknown;

    private bool IsRecent(uint id) => _newest - id < 2 * Remembered;

    private static int Slot(uint id) => (int)((id >> 1) & (Remembered - 1));
}
