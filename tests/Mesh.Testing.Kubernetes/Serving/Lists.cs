using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json.Nodes;
using Mesh.Testing.Kubernetes.Storage;
using Microsoft.AspNetCore.Http;

namespace Mesh.Testing.Kubernetes.Serving;

/// <summary>Lists, whole or in pages of one snapshot.</summary>
internal sealed class Lists(ApiStore store)
{
    private readonly ConcurrentDictionary<string, (IReadOnlyList<StoredObject> Items, ulong Revision, int From)> _snapshots = new(StringComparer.Ordinal);

    /// <summary>Continue tokens given so far are expired from now on.</summary>
    public void ExpireTokens() => _snapshots.Clear();

    public async Task AnswerAsync(HttpContext context, ApiTarget target)
    {
        var query = context.Request.Query;
        var limit = int.TryParse(query["limit"], CultureInfo.InvariantCulture, out var asked) ? asked : 0;
        var version = (string?)query["resourceVersion"] ?? "";
        if (version.Length > 0 && !ulong.TryParse(version, CultureInfo.InvariantCulture, out _))
            throw ApiError.BadRequest($"resourceVersion: Invalid value: \"{version}\"");
        if (ulong.TryParse(version, CultureInfo.InvariantCulture, out var future) && future > store.Revision)
            throw new ApiError(504, "Timeout", $"Too large resource version: {future}, current: {store.Revision}") { RetryAfter = 1 };
        IReadOnlyList<StoredObject> items;
        ulong revision;
        var from = 0;
        if ((string?)query["continue"] is { Length: > 0 } token)
        {
            if (!_snapshots.TryGetValue(token, out var snapshot))
                throw new ApiError(410, "Expired", "The provided continue parameter is too old to display a consistent list result.");
            (items, revision, from) = snapshot;
        }
        else
        {
            (items, revision) = store.List(target.Kind, target.Namespace, Selectors.Parse(target.Kind, query["labelSelector"], query["fieldSelector"]));
        }

        // "0" is served from the cache, which knows no pages.
        if (limit <= 0 || version == "0")
            limit = int.MaxValue;
        var page = items.Skip(from).Take(limit).ToList();
        var metadata = new JsonObject { ["resourceVersion"] = revision.ToString(CultureInfo.InvariantCulture) };
        if (from + page.Count < items.Count)
        {
            var next = $"{revision}:{Guid.NewGuid():N}=";
            _snapshots[next] = (items, revision, from + page.Count);
            metadata["continue"] = next;
            metadata["remainingItemCount"] = items.Count - from - page.Count;
        }
        var partial = ResponseWriting.WantsMetadataOnly(context);
        var shown = page.Select(o =>
        {
            var item = ResponseWriting.Shown(target, o.Body, partial);
            // Items of built-in lists do not say what they are.
            if (!partial && !target.Kind.IsCustom)
            {
                item.Remove("kind");
                item.Remove("apiVersion");
            }
            return (JsonNode)item;
        });
        await ResponseWriting.JsonAsync(context, 200, new JsonObject
        {
            ["kind"] = partial ? "PartialObjectMetadataList" : target.Kind.Kind + "List",
            ["apiVersion"] = partial ? "meta.k8s.io/v1" : target.ApiVersion,
            ["metadata"] = metadata,
            ["items"] = new JsonArray([.. shown]),
        });
    }
}
