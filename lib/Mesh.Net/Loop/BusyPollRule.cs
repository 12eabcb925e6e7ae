namespace Mesh.Net.Loop;

/// <summary>Whether looking for events before sleeping is worth its processor time, by what the last waits were like.</summary>
/// <remarks>It pays where a sleep was shorter than a look would have been. After a few looks in vain it does not, until a short sleep shows otherwise.</remarks>
internal struct BusyPollRule
{
    private const int VainLooksAllowed = 2;

    private int _vain;

    /// <summary>The next wait begins with a look.</summary>
    public bool Pays { get; private set; }

    public void LookEnded(bool found)
    {
        _vain = found ? 0 : _vain + 1;
        Pays = _vain < VainLooksAllowed;
    }

    /// <param name="briefly">A look would have met the event.</param>
    public void SleptFor(bool briefly)
    {
        if (!briefly)
            return;
        _vain = 0;
        Pays = true;
    }
}
