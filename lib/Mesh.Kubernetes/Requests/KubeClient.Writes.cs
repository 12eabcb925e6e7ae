using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Mesh.Kubernetes.Objects;

namespace Mesh.Kubernetes.Requests;

/// <summary>What may be deleted, and what happens to what it owns.</summary>
public sealed record DeleteOptions
{
    public string Kind { get; init; } = "DeleteOptions";
    public string ApiVersion { get; init; } = "v1";

    /// <summary>Background, Foreground or Orphan.</summary>
    public string PropagationPolicy { get; init; } = "Background";
    public DeletePreconditions? Preconditions { get; init; }
}

/// <summary>Refused with a conflict if the object is no longer this one.</summary>
public sealed record DeletePreconditions
{
    public string? Uid { get; init; }
    public string? ResourceVersion { get; init; }
}

public sealed partial class KubeClient
{
    public Task<T> CreateAsync<T>(ResourceType type, string? ns, T body, JsonTypeInfo<T> json, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(type);
        return WriteAsync(HttpMethod.Post, type.CollectionPath(ns), body, json, cancellation);
    }

    /// <summary>Replaces the object; with a resourceVersion in its metadata only if nobody else was faster.</summary>
    public Task<T> UpdateAsync<T>(ResourceType type, string? ns, string name, T body, JsonTypeInfo<T> json, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(type);
        return WriteAsync(HttpMethod.Put, type.ObjectPath(ns, name), body, json, cancellation);
    }

    /// <summary>Creates what does not exist and asks a question: reviews have no name.</summary>
    public Task<T> AskAsync<T>(ResourceType type, string? ns, T body, JsonTypeInfo<T> json, CancellationToken cancellation) => CreateAsync(type, ns, body, json, cancellation);

    /// <summary>
    /// Server-side apply. <paramref name="body"/> needs apiVersion, kind and metadata.name and must not hold managedFields. A status that is applied to
    /// an object which does not exist is <see cref="KubeFailure.NotFound"/>. Without <paramref name="force"/> a field that another manager owns is a conflict.
    /// </summary>
    /// <returns>The metadata of the object afterwards.</returns>
    public Task<PartialObject> ApplyAsync(ResourceType type, string? ns, string name, JsonObject body, string fieldManager, bool force, string? subresource, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(type);
        ArgumentNullException.ThrowIfNull(body);
        ArgumentException.ThrowIfNullOrEmpty(fieldManager);
        var path = $"{type.ObjectPath(ns, name, subresource)}?fieldManager={Uri.EscapeDataString(fieldManager)}{(force ? "&force=true" : "")}";
        // JSON is YAML; real YAML would turn an unquoted y into true.
        return PatchAsync(path, body, "application/apply-patch+yaml", cancellation);
    }

    /// <summary>As <see cref="ApplyAsync"/> with force, but nothing is stored: admission and validation say what they would say.</summary>
    public Task<PartialObject> TryApplyAsync(ResourceType type, string? ns, string name, JsonObject body, string fieldManager, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(type);
        ArgumentNullException.ThrowIfNull(body);
        var path = $"{type.ObjectPath(ns, name)}?fieldManager={Uri.EscapeDataString(fieldManager)}&force=true&dryRun=All";
        return PatchAsync(path, body, "application/apply-patch+yaml", cancellation);
    }

    /// <summary>JSON merge patch: null deletes, lists are replaced whole. metadata.resourceVersion in it is a lock.</summary>
    public Task<PartialObject> MergeAsync(ResourceType type, string? ns, string name, JsonObject patch, string? subresource, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(type);
        ArgumentNullException.ThrowIfNull(patch);
        return PatchAsync(type.ObjectPath(ns, name, subresource), patch, "application/merge-patch+json", cancellation);
    }

    /// <summary>False: it was not there.</summary>
    public async Task<bool> DeleteAsync(ResourceType type, string? ns, string name, DeleteOptions? options, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(type);
        var path = type.ObjectPath(ns, name);
        var content = JsonSerializer.SerializeToUtf8Bytes(options ?? new DeleteOptions(), KubeJson.Default.DeleteOptions);
        try
        {
            // The answer is a Status for some kinds and the object for others: neither is needed.
            await SendAsync(() => new HttpRequestMessage(HttpMethod.Delete, path) { Content = Content(content, Json) }, cancellation);
            return true;
        }
        catch (KubeException e) when (e.Failure is KubeFailure.NotFound)
        {
            return false;
        }
    }

    private Task<PartialObject> PatchAsync(string path, JsonObject body, string mediaType, CancellationToken cancellation)
    {
        var content = System.Text.Encoding.UTF8.GetBytes(body.ToJsonString());
        return ReadAsync(() => new HttpRequestMessage(HttpMethod.Patch, path) { Content = Content(content, mediaType) }, KubeJson.Default.PartialObject, cancellation);
    }

    private Task<T> WriteAsync<T>(HttpMethod method, string path, T body, JsonTypeInfo<T> json, CancellationToken cancellation)
    {
        var content = JsonSerializer.SerializeToUtf8Bytes(body, json);
        return ReadAsync(() => new HttpRequestMessage(method, path) { Content = Content(content, Json) }, json, cancellation);
    }

    private static ByteArrayContent Content(byte[] body, string mediaType) => new(body) { Headers = { ContentType = new MediaTypeHeaderValue(mediaType) } };
}
