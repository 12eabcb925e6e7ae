namespace Mesh.Filters;

/// <summary>
/// Looks at requests on their way to the application and at responses on their way back, and may change headers or answer. One instance serves all
/// requests, on many threads at a time. An instance that is <see cref="IDisposable"/> is disposed when its assembly was replaced and its last request has ended.
/// </summary>
public interface IFilter
{
    /// <summary>Runs after authorization and before routing's action. Must not block: it runs on the thread that serves other requests too.</summary>
    /// <param name="request">Valid until its response has ended.</param>
    /// <param name="cancellation">Cancelled when the client left or the filter's time is used up.</param>
    /// <returns>Null: the request goes on. An answer: it ends here.</returns>
    ValueTask<FilterAnswer?> OnRequestAsync(IFilterRequest request, CancellationToken cancellation);

    /// <summary>Runs when the response's status and headers are known and not sent yet, whoever made them.</summary>
    void OnResponse(IFilterRequest request, IFilterResponse response);
}

/// <summary>An answer that a filter gives in the application's place; text/plain unless a header says otherwise.</summary>
public sealed record FilterAnswer(int Status, string Body = "")
{
    public IReadOnlyDictionary<string, string> Headers { get; init; } = new Dictionary<string, string>();
}

/// <summary>One request. Valid until its response has ended; not to be kept.</summary>
public interface IFilterRequest
{
    string Method { get; }

    /// <summary>As the client sent it, with a port if it wrote one.</summary>
    string Authority { get; }

    /// <summary>Normalised, without query: what policies were evaluated against.</summary>
    string Path { get; }

    /// <summary>Without its question mark; empty where there is none.</summary>
    string Query { get; }

    /// <summary>SPIFFE URI from the client's certificate; null for a client without one.</summary>
    string? ClientIdentity { get; }

    string ClientAddress { get; }

    /// <summary>Hostname of the service that the client addressed.</summary>
    string Service { get; }

    IFilterHeaders Headers { get; }

    /// <summary>For the filter's own use between request and response.</summary>
    object? State { get; set; }
}

/// <summary>The head of one response.</summary>
public interface IFilterResponse
{
    int Status { get; }

    IFilterHeaders Headers { get; }
}

/// <summary>Headers; names in any case. Headers of the connection and its framing cannot be changed: such changes are ignored.</summary>
public interface IFilterHeaders
{
    /// <summary>Several values are joined by commas; null where the header is absent.</summary>
    string? Get(string name);

    void Set(string name, string value);

    void Remove(string name);
}
