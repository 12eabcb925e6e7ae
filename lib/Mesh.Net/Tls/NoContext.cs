namespace Mesh.Net.Tls;

/// <summary>Takes the loop's synchronization context away while SslStream runs.</summary>
/// <remarks>
/// With a context in place the runtime would not inline the continuations of SslStream's own awaits but send them to the thread pool, or back to
/// the loop by a post. Without one everything runs here and now, on the loop's thread, which is what it is for.
/// </remarks>
internal readonly ref struct NoContext
{
    private readonly SynchronizationContext? _previous;

    private NoContext(SynchronizationContext? previous) => _previous = previous;

    internal static NoContext Enter()
    {
        var previous = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(null);
        return new NoContext(previous);
    }

    public void Dispose() => SynchronizationContext.SetSynchronizationContext(_previous);
}
