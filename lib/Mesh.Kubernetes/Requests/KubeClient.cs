using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Mesh.Kubernetes.Connection;
using Mesh.Kubernetes.Objects;

namespace Mesh.Kubernetes.Requests;

/// <summary>How requests are made.</summary>
public sealed record KubeClientOptions
{
    public TimeProvider Time { get; init; } = TimeProvider.System;
    public Random Random { get; init; } = Random.Shared;

    /// <summary>For one answer in full; watches are bounded by their own time-out.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How often a request is sent while the server says "not now" (429, or 503 with Retry-After).</summary>
    public int Attempts { get; init; } = 4;

    /// <summary>A server that asks for more patience gets the failure told to the caller instead.</summary>
    public TimeSpan LongestRetryAfter { get; init; } = TimeSpan.FromSeconds(10);
    public string UserAgent { get; init; } = "mesh";

    /// <summary>Told the server's time with each answer that has it (RFC 9110 6.6.1), in whole seconds. Any thread.</summary>
    public Action<DateTimeOffset>? ServerDate { get; init; }
}

/// <summary>Requests to one API server. Any thread. Everything that goes wrong is a <see cref="KubeException"/>.</summary>
public sealed partial class KubeClient : IDisposable
{
    internal const string Json = "application/json";
    private readonly ClusterConfiguration _cluster;
    private readonly KubeClientOptions _options;
    private readonly HttpClient _http;

    public KubeClient(ClusterConfiguration cluster, KubeClientOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(cluster);
        _cluster = cluster;
        _options = options ?? new KubeClientOptions();
        _http = new HttpClient(ApiConnection.Create(cluster))
        {
            BaseAddress = cluster.Server,
            Timeout = Timeout.InfiniteTimeSpan,
            DefaultRequestVersion = HttpVersion.Version20,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
        };
    }

    public ClusterConfiguration Cluster => _cluster;
    public TimeProvider Time => _options.Time;
    internal Random Random => _options.Random;

    public void Dispose() => _http.Dispose();

    public Task<T> GetAsync<T>(string path, JsonTypeInfo<T> json, CancellationToken cancellation) => ReadAsync(() => new HttpRequestMessage(HttpMethod.Get, path), json, cancellation);

    /// <summary>The answer as it is, for what has no type of its own here.</summary>
    public async Task<JsonObject> GetJsonAsync(string path, CancellationToken cancellation)
    {
        var body = await SendAsync(() => new HttpRequestMessage(HttpMethod.Get, path), cancellation);
        try
        {
            return JsonNode.Parse(body) as JsonObject ?? throw new JsonException("no object");
        }
        catch (JsonException e)
        {
            throw new KubeException(KubeFailure.Malformed, $"GET {path}: the answer is no object: {e.Message}", e);
        }
    }

    /// <summary>Null: the object does not exist. An API that is not served is still a failure.</summary>
    public async Task<T?> FindAsync<T>(ResourceType type, string? ns, string name, JsonTypeInfo<T> json, CancellationToken cancellation)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(type);
        try
        {
            return await GetAsync(type.ObjectPath(ns, name), json, cancellation);
        }
        catch (KubeException e) when (e.Failure is KubeFailure.NotFound)
        {
            return null;
        }
    }

    /// <param name="next">The previous page's continue token; the same selection has to be given with it.</param>
    /// <param name="limit">0: everything in one answer.</param>
    public async Task<ListPage> ListAsync(ResourceType type, string? ns, Selection selection, int limit, string? next, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(type);
        ArgumentNullException.ThrowIfNull(selection);
        var query = new List<string>();
        selection.AppendTo(query);
        if (limit > 0)
            query.Add($"limit={limit}");
        if (next is not null)
            query.Add("continue=" + Uri.EscapeDataString(next));
        var path = WithQuery(type.CollectionPath(ns), query);
        var body = await SendAsync(() =>
        {
            var request = new HttpRequestMessage(HttpMethod.Get, path);
            if (selection.MetadataOnly)
                request.Headers.TryAddWithoutValidation("Accept", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1");
            return request;
        }, cancellation);
        try
        {
            return ListPage.Read(body);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new KubeException(KubeFailure.Malformed, $"GET {path}: the answer is no list: {e.Message}", e);
        }
    }

    internal static string WithQuery(string path, List<string> query) => query.Count == 0 ? path : $"{path}?{string.Join('&', query)}";

    internal async Task<T> ReadAsync<T>(Func<HttpRequestMessage> request, JsonTypeInfo<T> json, CancellationToken cancellation)
    {
        var body = await SendAsync(request, cancellation);
        try
        {
            return JsonSerializer.Deserialize(body, json) ?? throw new JsonException("null");
        }
        catch (JsonException e)
        {
            using var described = request();
            throw new KubeException(KubeFailure.Malformed, $"{Subject(described)}: the answer is not what was asked for: {e.Message}", e);
        }
    }

    /// <summary>The whole answer of a request that succeeded.</summary>
    internal async Task<byte[]> SendAsync(Func<HttpRequestMessage> request, CancellationToken cancellation)
    {
        using var limit = new CancellationTokenSource(_options.RequestTimeout, _options.Time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        var subject = string.Empty;
        try
        {
            using var response = await OpenAsync(request, s => subject = s, both.Token);
            return await response.Content.ReadAsByteArrayAsync(both.Token);
        }
        catch (OperationCanceledException e) when (!cancellation.IsCancellationRequested)
        {
            throw new KubeException(KubeFailure.Unreachable, $"{subject}: no answer within {_options.RequestTimeout.TotalSeconds:0} s", e);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw Unreachable(subject, e);
        }
    }

    /// <summary>Sends until there is an answer that is a success; its body is not read yet.</summary>
    internal async Task<HttpResponseMessage> OpenAsync(Func<HttpRequestMessage> make, Action<string>? tell, CancellationToken cancellation)
    {
        var renewed = false;
        for (var attempt = 1; ; attempt++)
        {
            using var request = make();
            var subject = Subject(request);
            tell?.Invoke(subject);
            var response = await SendOnceAsync(request, subject, cancellation);
            if (response.IsSuccessStatusCode)
                return response;
            using (response)
            {
                var failure = await ResponseReading.ReadFailureAsync(response, subject, cancellation);
                // The projected token may have been replaced since it was read.
                if (failure.Failure is KubeFailure.Unauthorized && !renewed && _cluster.Credentials.Renew())
                {
                    renewed = true;
                    continue;
                }
                var wait = failure.RetryAfter ?? TimeSpan.FromSeconds(1);
                if (!ResponseReading.IsWorthWaitingFor(response.StatusCode, failure.RetryAfter) || attempt >= _options.Attempts || wait > _options.LongestRetryAfter)
                    throw failure;
                await Task.Delay(wait, _options.Time, cancellation);
            }
        }
    }

    private async Task<HttpResponseMessage> SendOnceAsync(HttpRequestMessage request, string subject, CancellationToken cancellation)
    {
        try
        {
            await _cluster.Credentials.PrepareAsync(cancellation);
            if (await _cluster.Credentials.GetTokenAsync(cancellation) is { } token)
                request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
            if (!request.Headers.NonValidated.Contains("Accept"))
                request.Headers.TryAddWithoutValidation("Accept", Json);
            request.Headers.TryAddWithoutValidation("User-Agent", _options.UserAgent);
            var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
            if (response.Headers.Date is { } date)
                _options.ServerDate?.Invoke(date);
            return response;
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw Unreachable(subject, e);
        }
        catch (ClusterConfigurationException e)
        {
            throw new KubeException(KubeFailure.Unauthorized, $"{subject}: {e.Message}", e);
        }
    }

    internal KubeException Unreachable(string subject, Exception e) =>
        new(KubeFailure.Unreachable, $"{subject}: the API server {_cluster.Server.Authority} ({_cluster.Origin}) does not answer: {Innermost(e).Message}", e);

    private static Exception Innermost(Exception e)
    {
        while (e.InnerException is { } inner)
            e = inner;
        return e;
    }

    private static string Subject(HttpRequestMessage request) => $"{request.Method} {request.RequestUri}";
}
