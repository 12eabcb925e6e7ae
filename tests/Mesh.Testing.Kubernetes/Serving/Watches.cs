using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Mesh.Testing.Kubernetes.Storage;
using Microsoft.AspNetCore.Http;

namespace Mesh.Testing.Kubernetes.Serving;

/// <summary>Watches: one JSON object per line, until the time is up, the kind is gone, or the server ends them.</summary>
internal sealed class Watches(ApiStore store, TimeProvider time)
{
    private static readonly TimeSpan _bookmarks = TimeSpan.FromSeconds(1);
    private CancellationTokenSource _end = new();
    private int _open;

    public int Open => _open;

    /// <summary>The WatchList feature gate.</summary>
    public bool StreamingLists { get; set; }

    /// <summary>As servers before 1.27: the parameter is not known.</summary>
    public bool IgnoresStreamingLists { get; set; }

    /// <summary>Ends all open watches in good order, as a server that shuts down does.</summary>
    public void EndAll() => Interlocked.Exchange(ref _end, new CancellationTokenSource()).Cancel();

    public async Task AnswerAsync(HttpContext context, ApiTarget target, Fault? fault)
    {
        var query = context.Request.Query;
        var initial = query["sendInitialEvents"] == "true" && !IgnoresStreamingLists;
        if (initial && query["resourceVersionMatch"] != "NotOlderThan")
            throw ApiError.Invalid(target.Kind, "", ("resourceVersionMatch", "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"));
        if (initial && !StreamingLists)
            throw ApiError.Invalid(target.Kind, "", ("sendInitialEvents", "Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"));
        var text = (string?)query["resourceVersion"] ?? "";
        ulong version = 0;
        if (text.Length > 0 && !ulong.TryParse(text, CultureInfo.InvariantCulture, out version))
            throw new ApiError(500, "", $"strconv.ParseUint: parsing \"{text}\": invalid syntax");
        var selectors = Selectors.Parse(target.Kind, query["labelSelector"], query["fieldSelector"]);
        if (target.Name is not null)
            selectors = Selectors.Parse(target.Kind, query["labelSelector"], $"metadata.name={target.Name}");
        var seconds = int.TryParse(query["timeoutSeconds"], CultureInfo.InvariantCulture, out var asked) && asked > 0 ? asked : 1800;
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(seconds), time);
        using var all = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, context.RequestAborted, Volatile.Read(ref _end).Token);
        context.Response.ContentType = "application/json";
        Interlocked.Increment(ref _open);
        try
        {
            await context.Response.StartAsync(all.Token);
            await context.Response.Body.FlushAsync(all.Token);
            await StreamAsync(new Line(context, target, fault), selectors, target, version, query["allowWatchBookmarks"] == "true", initial, all.Token);
        }
        catch (OperationCanceledException) when (!context.RequestAborted.IsCancellationRequested)
        {
            // The time is up: the terminating chunk and nothing else.
        }
        finally
        {
            Interlocked.Decrement(ref _open);
        }
    }

    private async Task StreamAsync(Line line, Selectors selectors, ApiTarget target, ulong version, bool bookmarks, bool initial, CancellationToken cancellation)
    {
        if (version == 0 || initial)
        {
            var (items, revision) = store.List(target.Kind, target.Namespace, selectors);
            foreach (var item in items)
            {
                await line.EventAsync("ADDED", item.Body, cancellation);
                if (line.IsCut)
                    return;
            }
            version = revision;
            if (initial && bookmarks)
                await line.RawAsync(Bookmark(target, revision, isEndOfInitialEvents: true), cancellation);
        }
        var sent = version;
        while (true)
        {
            IReadOnlyList<LoggedEvent> events;
            ulong revision;
            Task changed;
            bool gone;
            try
            {
                (events, revision, changed, gone) = store.Since(target.Kind, version);
            }
            catch (ApiError e)
            {
                await line.RawAsync(new JsonObject { ["type"] = "ERROR", ["object"] = e.ToStatus() }, cancellation);
                return;
            }
            foreach (var item in line.Ordered(events))
            {
                if (target.Namespace is not null && item.After.Namespace != target.Namespace)
                    continue;
                var was = item.Before is not null && selectors.Matches(item.Before.Body);
                var isNow = item.Type != "DELETED" && selectors.Matches(item.After.Body);
                if (isNow)
                {
                    await line.EventAsync(was ? "MODIFIED" : "ADDED", item.After.Body, cancellation);
                }
                else if (was)
                {
                    // What it was when it last matched, at the time of the change.
                    var last = (JsonObject)item.Before!.Body.DeepClone();
                    last["metadata"]!["resourceVersion"] = item.After.Revision.ToString(CultureInfo.InvariantCulture);
                    await line.EventAsync("DELETED", last, cancellation);
                }
                if (line.IsCut)
                    return;
            }
            if (events.Count > 0)
                version = events[^1].After.Revision;
            if (gone)
                return;
            using var idle = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            idle.CancelAfter(_bookmarks);
            try
            {
                await changed.WaitAsync(idle.Token);
            }
            catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
            {
                if (bookmarks && revision != sent)
                {
                    sent = revision;
                    await line.RawAsync(Bookmark(target, revision), cancellation);
                }
            }
        }
    }

    private static JsonObject Bookmark(ApiTarget target, ulong revision, bool isEndOfInitialEvents = false)
    {
        var metadata = new JsonObject { ["resourceVersion"] = revision.ToString(CultureInfo.InvariantCulture) };
        if (isEndOfInitialEvents)
            metadata["annotations"] = new JsonObject { ["k8s.io/initial-events-end"] = "true" };
        return new JsonObject { ["type"] = "BOOKMARK", ["object"] = new JsonObject { ["kind"] = target.Kind.Kind, ["apiVersion"] = target.ApiVersion, ["metadata"] = metadata } };
    }

    /// <summary>Writes lines, as badly as the fault wants it.</summary>
    private sealed class Line(HttpContext context, ApiTarget target, Fault? fault)
    {
        private readonly bool _partial = ResponseWriting.WantsMetadataOnly(context);

        public bool IsCut { get; private set; }

        public IEnumerable<LoggedEvent> Ordered(IReadOnlyList<LoggedEvent> events) => fault?.Reverse is true ? events.Reverse() : events;

        public async Task EventAsync(string type, JsonObject body, CancellationToken cancellation)
        {
            var item = new JsonObject { ["type"] = type, ["object"] = ResponseWriting.Shown(target, body, _partial) };
            await RawAsync(item, cancellation);
            if (fault?.Duplicate is true)
                await RawAsync(item, cancellation);
        }

        public async Task RawAsync(JsonObject item, CancellationToken cancellation)
        {
            var bytes = Encoding.UTF8.GetBytes(item.ToJsonString() + "\n");
            if (fault?.Truncate is true)
            {
                bytes = bytes[..(bytes.Length / 2)];
                IsCut = true;
            }
            await context.Response.Body.WriteAsync(bytes, cancellation);
            await context.Response.Body.FlushAsync(cancellation);
        }
    }
}
