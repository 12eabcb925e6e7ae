using Mesh.Filters;

namespace Mesh.SampleFilters;

/// <summary>Misbehaves as the header x-trouble says: what a waypoint has to stand.</summary>
public sealed class TroubleFilter : IFilter
{
    public async ValueTask<FilterAnswer?> OnRequestAsync(IFilterRequest request, CancellationToken cancellation)
    {
        switch (request.Headers.Get("x-trouble"))
        {
            case "throw":
                throw new InvalidOperationException("a filter's own fault");
            case "hang":
                await Task.Delay(Timeout.Infinite, cancellation);
                break;
            case "deaf":
                await Task.Delay(Timeout.Infinite, CancellationToken.None);
                break;
            case "allocate":
                GC.KeepAlive(new byte[1_000_000]);
                break;
            case "smuggle":
                request.Headers.Set("Transfer-Encoding", "chunked");
                request.Headers.Set("content-length", "7");
                break;
        }

        return null;
    }

    public void OnResponse(IFilterRequest request, IFilterResponse response)
    {
        if (request.Headers.Get("x-trouble") == "throw-late")
            throw new InvalidOperationException("too late");
    }
}
