using Mesh.Filters;
using Mesh.Waypoint.Forwarding;
using Mesh.Waypoint.Routing;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Filters;

/// <summary>What one filter sees of one request.</summary>
internal sealed class FilterRequest(Exchange exchange) : IFilterRequest
{
    public string Method => exchange.Facts.Method;

    public string Authority => exchange.Facts.Authority;

    public string Path => exchange.Facts.Path;

    public string Query => exchange.Facts.Query;

    public string? ClientIdentity => exchange.Connection.Caller.Spiffe;

    public string ClientAddress => exchange.Connection.Caller.Address.Address.ToString();

    public string Service => exchange.Destination!.Hostname;

    public IFilterHeaders Headers { get; } = new FilterHeaders(exchange.Http.Request.Headers);

    public object? State { get; set; }
}

internal sealed class FilterResponse(HttpResponse response) : IFilterResponse
{
    public int Status => response.StatusCode;

    public IFilterHeaders Headers { get; } = new FilterHeaders(response.Headers);
}

internal sealed class FilterHeaders(IHeaderDictionary headers) : IFilterHeaders
{
    public string? Get(string name) => headers.TryGetValue(name, out var values) ? HeaderMatcher.Join(values) : null;

    public void Set(string name, string value) => HeaderChange.Apply([new HeaderChange(name, value, HeaderChangeKind.Set)], headers);

    public void Remove(string name)
    {
        if (!HopByHop.Is(name) && !name.Equals("content-length", StringComparison.OrdinalIgnoreCase) && !name.Equals("host", StringComparison.OrdinalIgnoreCase))
            headers.Remove(name);
    }
}
