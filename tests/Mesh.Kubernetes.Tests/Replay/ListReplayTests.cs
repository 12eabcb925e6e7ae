using Mesh.Kubernetes.Objects;
using Mesh.Kubernetes.Requests;

namespace Mesh.Kubernetes.Tests.Replay;

/// <summary>Lists as the real server sent them.</summary>
public sealed class ListReplayTests
{
    private static readonly ResourceType ConfigMaps = ResourceTypes.ConfigMaps;

    [Theory]
    [InlineData("list/paging")]
    [InlineData("list/paging-selector")]
    public async Task Pages_AreOneSnapshot_AndTheContinueTokenIsSentBackEscaped(string name)
    {
        var transcript = Transcript.Load(name);
        var pages = transcript.Steps.Where(s => s.Method == "GET" && s.Status == 200 && s.PathAndQuery.Contains("limit=", StringComparison.Ordinal) && !s.PathAndQuery.Contains("fieldSelector", StringComparison.Ordinal)).ToList();
        await using var server = new TranscriptServer(pages);
        using var client = Clients.To(server.Address);
        var labels = Query(pages[0].PathAndQuery).GetValueOrDefault("labelSelector");

        var versions = new List<string>();
        var items = new List<RawObject>();
        string? next = null;
        do
        {
            var page = await client.ListAsync(ConfigMaps, "demo", new Selection { Labels = labels }, 4, next, CancellationToken.None);
            versions.Add(page.ResourceVersion);
            items.AddRange(page.Items);
            next = page.Continue;
        }
        while (next is not null && versions.Count < pages.Count); // the recorder did not always go to the end

        Assert.Equal(pages.Count, versions.Count);
        Assert.Single(versions.Distinct(StringComparer.Ordinal));
        Assert.Equal(items.Count, items.Select(i => i.Key).Distinct().Count());
        foreach (var (sent, recorded) in server.Seen.Zip(pages))
            Assert.Equal(Query(recorded.PathAndQuery).GetValueOrDefault("continue"), Query(sent.PathAndQuery).GetValueOrDefault("continue"));
    }

    [Fact]
    public async Task ContinueTokenThatExpired_IsToldAsExpired()
    {
        var expired = Transcript.Load("list/continue-expired").First(s => s.Status == 410);
        await using var server = new TranscriptServer([expired]);
        using var client = Clients.To(server.Address);

        var failure = await Assert.ThrowsAsync<KubeException>(() => client.ListAsync(ConfigMaps, "demo", Selection.All, 4, "old", CancellationToken.None));

        Assert.Equal(KubeFailure.Expired, failure.Failure);
    }

    [Fact]
    public async Task EmptyAndMissingNamespaces_AreEmptyLists()
    {
        foreach (var step in Transcript.Load("list/empty").Steps.Where(s => s.Status == 200))
        {
            var page = ListPage.Read(System.Text.Encoding.UTF8.GetBytes(step.Body));
            Assert.Empty(page.Items);
            Assert.NotEmpty(page.ResourceVersion);
        }
        await Task.CompletedTask;
    }

    [Fact]
    public async Task ItemsOfBuiltInLists_HaveNoKind_AndAreReadAllTheSame()
    {
        var step = Transcript.Load("list/basic").First(s => s.Body.Contains("ConfigMapList", StringComparison.Ordinal));
        // In pieces of seven bytes: boundaries mean nothing.
        await using var server = new TranscriptServer([step], pieces: 7);
        using var client = Clients.To(server.Address);

        var page = await client.ListAsync(ConfigMaps, "demo", Selection.All, 0, null, CancellationToken.None);

        Assert.NotEmpty(page.Items);
        Assert.All(page.Items, i => Assert.Equal("demo", i.Key.Namespace));
        Assert.All(page.Items, i => Assert.DoesNotContain("\"kind\":\"ConfigMap\"", Clients.Text(i), StringComparison.Ordinal));
    }

    public static TheoryData<string> Recordings => [.. Transcript.All];

    /// <summary>Whatever kind it is, built-in or custom, whole or metadata only: every recorded list has the items that a general parser sees.</summary>
    [Theory]
    [MemberData(nameof(Recordings))]
    public void RecordedLists_AreReadItemByItem(string name)
    {
        foreach (var step in Transcript.Load(name).Steps.Where(s => s is { Method: "GET", Status: 200, IsWatch: false, IsWhole: true } && s.Body.StartsWith('{')))
        {
            var body = System.Text.Json.Nodes.JsonNode.Parse(step.Body)!;
            if (body["items"] is not System.Text.Json.Nodes.JsonArray items || body["metadata"]?["resourceVersion"] is null)
                continue;
            var page = ListPage.Read(System.Text.Encoding.UTF8.GetBytes(step.Body));
            Assert.Equal((string?)body["metadata"]!["resourceVersion"], page.ResourceVersion);
            Assert.Equal((string?)body["metadata"]!["continue"] ?? "", page.Continue ?? ""); // absent and empty are the end
            Assert.Equal(items.Select(i => ((string?)i!["metadata"]!["namespace"] ?? "", (string)i["metadata"]!["name"]!, (string)i["metadata"]!["resourceVersion"]!)),
                page.Items.Select(i => (i.Key.Namespace, i.Key.Name, i.ResourceVersion)));
        }
    }

    [Fact]
    public async Task Selectors_GoOutAsTheRecorderEscapedThem()
    {
        foreach (var step in Transcript.Load("list/selectors").Steps.Where(s => s.Status == 200 && s.Path.EndsWith("/configmaps", StringComparison.Ordinal)))
        {
            await using var server = new TranscriptServer([step]);
            using var client = Clients.To(server.Address);
            var query = Query(step.PathAndQuery);

            var page = await client.ListAsync(ConfigMaps, "demo", new Selection { Labels = query.GetValueOrDefault("labelSelector"), Fields = query.GetValueOrDefault("fieldSelector") }, 0, null, CancellationToken.None);

            Assert.True(server.Seen.TryDequeue(out var sent));
            Assert.Equal(query, Query(sent.PathAndQuery));
            // Nothing in a query may be left bare.
            Assert.DoesNotMatch("[ (),!<>]", sent.PathAndQuery);
            Assert.Equal(page.Items.Count, page.Items.Select(i => i.Key).Distinct().Count());
        }
    }

    [Theory]
    [InlineData(504, KubeFailure.ServerError)]
    [InlineData(422, KubeFailure.Invalid)]
    [InlineData(400, KubeFailure.BadRequest)]
    public async Task RefusedResourceVersions_AreTold_AndOnlyTheFutureOneIsTriedAgain(int status, KubeFailure expected)
    {
        var step = Transcript.Load("list/resource-version-errors").First(s => s.Status == status && s.Path.Contains("/configmaps", StringComparison.Ordinal));
        await using var server = new TranscriptServer([step]);
        using var client = Clients.To(server.Address);

        var failure = await Assert.ThrowsAsync<KubeException>(() => client.ListAsync(ConfigMaps, "demo", Selection.All, 0, null, CancellationToken.None));

        Assert.Equal(expected, failure.Failure);
        Assert.Equal(status == 504 ? 4 : 1, server.Seen.Count);
    }

    [Fact]
    public async Task MetadataOnly_AsksForTheListForm()
    {
        var step = Transcript.Load("list/partial-metadata-and-table").First(s => s.Body.Contains("PartialObjectMetadataList", StringComparison.Ordinal));
        await using var server = new TranscriptServer([step]);
        using var client = Clients.To(server.Address);
        var type = step.Path.Contains("/pods", StringComparison.Ordinal) ? ResourceTypes.Pods : ConfigMaps;

        var page = await client.ListAsync(type, "demo", new Selection { MetadataOnly = true }, 0, null, CancellationToken.None);

        Assert.NotEmpty(page.Items);
        Assert.True(server.Seen.TryDequeue(out var sent));
        Assert.Equal("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", sent.Headers["Accept"]);
    }

    private static Dictionary<string, string> Query(string pathAndQuery) =>
        pathAndQuery.Split('?', 2) is [_, var query]
            ? query.Split('&').Select(p => p.Split('=', 2)).Where(p => p[0] is "labelSelector" or "fieldSelector" or "continue").ToDictionary(p => p[0], p => Uri.UnescapeDataString(p[1].Replace('+', ' ')), StringComparer.Ordinal)
            : [];
}
