using Mesh.Filters;

[assembly: MeshFilter(typeof(Mesh.SampleFilters.TenantFilter))]
[assembly: MeshFilter(typeof(Mesh.SampleFilters.TroubleFilter))]

namespace Mesh.SampleFilters;

/// <summary>The sample of docs/filters.md: each request names its tenant, the application learns it, and the response says which filter it was.</summary>
public sealed class TenantFilter : IFilter
{
    public ValueTask<FilterAnswer?> OnRequestAsync(IFilterRequest request, CancellationToken cancellation)
    {
        var tenant = request.Headers.Get("x-tenant");
        if (tenant is null && request.Path.StartsWith("/tenants/", StringComparison.Ordinal))
            return new(new FilterAnswer(400, "name your tenant in x-tenant"));
        request.State = tenant;
        request.Headers.Set("x-tenant-checked", $"{tenant ?? "none"} by {request.ClientIdentity} for {request.Service}");
        return default;
    }

    public void OnResponse(IFilterRequest request, IFilterResponse response) => response.Headers.Set("x-tenant-filter", $"version-1 {request.State} {response.Status}");
}
