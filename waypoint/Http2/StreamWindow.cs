namespace Mesh.Waypoint.Http2;

/// <summary>
/// How much of one response the application may have under way. Every stream has the first window; each windowful that its reader has taken doubles
/// it, as long as the connection has something left: who does not read holds back little, however many they are.
/// </summary>
internal struct StreamWindow()
{
    public const int First = 64 * 1024;

    public const int Largest = 1024 * 1024;

    private int _size = First;
    private int _read;

    /// <summary>What the connection gave.</summary>
    public readonly int Widening => _size - First;

    /// <returns>By how much the window grows.</returns>
    public int OnRead(int count, Http2ClientConnection connection)
    {
        _read += count;
        var by = _size;
        if (_read < by || by == Largest || !connection.TryWiden(by))
            return 0;
        _read = 0;
        _size += by;
        return by;
    }
}
