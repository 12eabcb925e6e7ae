using System.Text.Json.Nodes;
using Mesh.Kubernetes.Objects;
using Mesh.Kubernetes.Requests;
using Mesh.Kubernetes.Watching;

namespace Mesh.Kubernetes.Tests.Replay;

/// <summary>Watches as the real server sent them, chunk boundaries included.</summary>
public sealed class WatchReplayTests
{
    public static TheoryData<string, int> Streams()
    {
        var data = new TheoryData<string, int>();
        foreach (var name in Transcript.All.Where(n => n.StartsWith("watch/", StringComparison.Ordinal)))
        {
            foreach (var pieces in (int[])[int.MaxValue, 11])
                data.Add(name, pieces);
        }
        return data;
    }

    /// <summary>Every recorded stream gives the events that its lines hold, however they are cut.</summary>
    [Theory]
    [MemberData(nameof(Streams))]
    public async Task RecordedStream_GivesItsLines(string name, int pieces)
    {
        foreach (var step in Transcript.Load(name).Steps.Where(s => s is { IsWatch: true, IsWhole: true, Status: 200, Method: "GET" } && s.Body.StartsWith("{\"type\"", StringComparison.Ordinal)))
        {
            var lines = step.Body.Split('\n', StringSplitOptions.RemoveEmptyEntries);
            await using var server = new TranscriptServer([step], pieces);
            using var client = Clients.To(server.Address);
            await using var stream = await WatchStream.OpenAsync(client, TypeOf(step.Path), NamespaceOf(step.Path), Selection.All, "1", new WatchLimits(), CancellationToken.None);
            foreach (var line in lines)
            {
                if (line.StartsWith("{\"type\":\"ERROR\"", StringComparison.Ordinal))
                {
                    await Assert.ThrowsAsync<KubeException>(async () => await stream.NextAsync(CancellationToken.None));
                    break;
                }
                var item = await stream.NextAsync(CancellationToken.None);
                Assert.NotNull(item);
                Assert.StartsWith($"{{\"type\":\"{item.Value.Kind.ToString().ToUpperInvariant()}\"", line, StringComparison.Ordinal);
                Assert.Contains(Clients.Text(item.Value.Object), line, StringComparison.Ordinal);
            }
            if (!step.EndsOpen && !step.Body.Contains("\"type\":\"ERROR\"", StringComparison.Ordinal))
                Assert.Null(await stream.NextAsync(CancellationToken.None));
        }
    }

    [Fact]
    public async Task Gone_ArrivesInsideAStreamThatBeganWell()
    {
        var step = Transcript.Load("watch/too-old-410").Steps[0];
        await using var server = new TranscriptServer([step]);
        using var client = Clients.To(server.Address);
        await using var stream = await WatchStream.OpenAsync(client, ResourceTypes.ConfigMaps, "demo", Selection.All, "1", new WatchLimits(), CancellationToken.None);

        var failure = await Assert.ThrowsAsync<KubeException>(async () => await stream.NextAsync(CancellationToken.None));

        Assert.Equal(KubeFailure.Expired, failure.Failure);
    }

    [Fact]
    public void EndMarkOfAStreamingList_IsNoObject()
    {
        var step = Transcript.Load("watch/watchlist").First(s => s.Body.Contains("initial-events-end", StringComparison.Ordinal));
        var events = step.Body.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => WatchEvent.Read(System.Text.Encoding.UTF8.GetBytes(l))).ToList();

        var mark = Assert.Single(events, e => e.Object.IsInitialEventsEnd);
        Assert.Equal(WatchEventKind.Bookmark, mark.Kind);
    }

    /// <summary>list, then watch: what the recorder's own writes did arrives, the deletion with the resourceVersion of the deletion.</summary>
    [Fact]
    public async Task Informer_OnARecordedListAndWatch_EndsWithWhatTheServerHad()
    {
        var transcript = Transcript.Load("watch/added-modified-deleted");
        var list = transcript["list"];
        var watch = transcript["watch"];
        await using var server = new TranscriptServer([Discovery("v1"), list, watch]);
        using var client = Clients.To(server.Address);
        await using var mirror = new Mirror(client, ResourceTypes.ConfigMaps, "demo");

        await mirror.UntilAsync(m => m.Changes.Any(c => c.Key.Name == "one" && c.After is null));

        var first = server.Seen.First(s => s.PathAndQuery.Contains("watch=true", StringComparison.Ordinal)).PathAndQuery;
        Assert.Contains($"resourceVersion={ListPage.Read(System.Text.Encoding.UTF8.GetBytes(list.Body)).ResourceVersion}", first, StringComparison.Ordinal);
        Assert.Equal(ListPage.Read(System.Text.Encoding.UTF8.GetBytes(list.Body)).Items.Select(i => i.Key.Name).Order(StringComparer.Ordinal), mirror.Content.Keys.Select(k => k.Name).Order(StringComparer.Ordinal));
        Assert.Equal([true, true, false], mirror.Changes.Where(c => c.Key.Name == "one").Select(c => c.After is not null));
    }

    /// <summary>The core group's document, so that the informer finds its kind.</summary>
    private static TranscriptStep Discovery(string version)
    {
        const string Body = """{"kind":"APIResourceList","resources":[{"name":"configmaps","singularName":"","namespaced":true,"kind":"ConfigMap"}]}""";
        return new TranscriptStep(new JsonObject
        {
            ["request"] = new JsonObject { ["method"] = "GET", ["path"] = $"/api/{version}" },
            ["response"] = new JsonObject
            {
                ["status"] = 200,
                ["status_line"] = "HTTP/1.1 200 OK",
                ["headers"] = new JsonArray(new JsonArray("Content-Type", "application/json"), new JsonArray("Content-Length", $"{Body.Length}")),
                ["framing"] = "content-length",
                ["body"] = Body,
            },
        });
    }

    private static ResourceType TypeOf(string path)
    {
        var parts = path.Trim('/').Split('/');
        var group = parts[0] == "api" ? "" : parts[1];
        return new ResourceType(group, parts[0] == "api" ? parts[1] : parts[2], parts[^1], "Any", NamespaceOf(path) is not null);
    }

    private static string? NamespaceOf(string path) => path.Split('/').SkipWhile(p => p != "namespaces").Skip(1).SkipLast(1).FirstOrDefault();
}
