using System.Text.Json.Nodes;
using Mesh.Kubernetes.Objects;
using Mesh.Kubernetes.Requests;

namespace Mesh.Kubernetes.Tests.Replay;

/// <summary>Every refusal that was recorded has one value of the closed set.</summary>
public sealed class FailureReplayTests
{
    public static TheoryData<string, int> Refusals()
    {
        var data = new TheoryData<string, int>();
        foreach (var name in Transcript.All)
        {
            var steps = Transcript.Load(name).Steps;
            for (var i = 0; i < steps.Count; i++)
            {
                if (steps[i] is { Status: >= 400, IsWhole: true } && steps[i].Method is "GET" or "POST")
                    data.Add(name, i);
            }
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(Refusals))]
    public async Task RecordedRefusal_IsClassified(string name, int index)
    {
        var step = Transcript.Load(name).Steps[index];
        await using var server = new TranscriptServer([step]);
        using var client = new KubeClient(new Kubernetes.Connection.ClusterConfiguration { Server = server.Address }, new KubeClientOptions { Attempts = 1 });

        var failure = await Assert.ThrowsAsync<KubeException>(() => step.Method == "GET"
            ? client.GetAsync(step.PathAndQuery, KubeJson.Default.PartialObject, CancellationToken.None)
            : client.ReadAsync(() => new HttpRequestMessage(HttpMethod.Post, step.PathAndQuery), KubeJson.Default.PartialObject, CancellationToken.None));

        var reason = step.Body.StartsWith('{') ? (string?)JsonNode.Parse(step.Body)!["reason"] : null;
        KubeFailure expected = (step.Status, reason) switch
        {
            (401, _) => KubeFailure.Unauthorized,
            (403, _) => KubeFailure.Forbidden,
            (404, "NotFound") when JsonNode.Parse(step.Body)!["details"]?["name"] is not null => KubeFailure.NotFound,
            (404, _) => KubeFailure.NotServed,
            (409, "AlreadyExists") => KubeFailure.AlreadyExists,
            (409, _) => KubeFailure.Conflict,
            (410, _) => KubeFailure.Expired,
            (422, _) => KubeFailure.Invalid,
            (429, _) => KubeFailure.Throttled,
            ( >= 500, _) => KubeFailure.ServerError,
            _ => KubeFailure.BadRequest,
        };
        Assert.Equal(expected, failure.Failure);
        Assert.Equal(step.Status, failure.StatusCode);
        Assert.Contains(step.Path, Uri.UnescapeDataString(failure.Message), StringComparison.Ordinal);
        if (step.Status == 422)
            Assert.NotEmpty(failure.Causes);
        if (step.Status == 429)
            Assert.Equal(TimeSpan.FromSeconds(1), failure.RetryAfter);
    }

    [Theory]
    [InlineData("errors/429-priority-and-fairness")]
    [InlineData("errors/429-storage-initializing")]
    public async Task Throttled_IsTriedAgainAfterWhatTheServerAskedFor(string name)
    {
        var refused = Transcript.Load(name).First(s => s is { Status: 429, Method: "GET" });
        var granted = Transcript.Load("list/empty").First(s => s.Status == 200);
        var time = new Testing.ManualTimeProvider();
        // The same path answers both: the recorded refusal first.
        await using var server = new TranscriptServer([refused, new TranscriptStep(Renamed(granted, refused.PathAndQuery))]);
        using var client = Clients.To(server.Address, time: time);

        var asking = client.GetAsync(refused.PathAndQuery, KubeJson.Default.PartialObject, CancellationToken.None);
        await time.TimerIsSetAsync(TimeSpan.FromSeconds(1));
        Assert.False(asking.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(1));
        await asking.WaitAsync(Clients.Patience);

        Assert.Equal(2, server.Seen.Count);
    }

    private static JsonObject Renamed(TranscriptStep step, string path) => new()
    {
        ["request"] = new JsonObject { ["method"] = "GET", ["path"] = path },
        ["response"] = new JsonObject
        {
            ["status"] = 200,
            ["status_line"] = "HTTP/1.1 200 OK",
            ["headers"] = new JsonArray(new JsonArray("Content-Type", "application/json"), new JsonArray("Content-Length", $"{step.Body.Length}")),
            ["framing"] = "content-length",
            ["body"] = step.Body,
        },
    };
}
