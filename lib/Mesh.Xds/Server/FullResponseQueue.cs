namespace Mesh.Xds.Server;

/// <summary>Lets a bounded number of streams send a whole table at the same time, first come first served. Nobody is refused, and a client that does not read keeps nobody waiting for long.</summary>
internal sealed class FullResponseQueue(DeltaXdsServerOptions options)
{
    private readonly SemaphoreSlim _places = new(options.SimultaneousFullResponses, options.SimultaneousFullResponses);

    /// <summary>The place that is returned is left by disposing it, or by itself after the patience of the options.</summary>
    public async ValueTask<IDisposable> EnterAsync(CancellationToken cancellation)
    {
        await _places.WaitAsync(cancellation);
        return new Place(_places, options);
    }

    private sealed class Place : IDisposable
    {
        private readonly SemaphoreSlim _places;
        private readonly ITimer _patience;
        private int _left;

        public Place(SemaphoreSlim places, DeltaXdsServerOptions options)
        {
            _places = places;
            _patience = options.Time.CreateTimer(static place => ((Place)place!).Leave(), this, options.FullResponsePatience, Timeout.InfiniteTimeSpan);
        }

        public void Dispose()
        {
            _patience.Dispose();
            Leave();
        }

        private void Leave()
        {
            if (Interlocked.Exchange(ref _left, 1) == 0)
                _places.Release();
        }
    }
}
