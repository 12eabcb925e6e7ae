using System.Text.Json;
using Mesh.Kubernetes.Objects;
using Mesh.Kubernetes.Reviews;

namespace Mesh.Kubernetes.Tests.Replay;

/// <summary>Verdicts on tokens as the real server gave them: 201 for all of them.</summary>
public sealed class ReviewReplayTests
{
    public static TheoryData<string, int> Reviews()
    {
        var data = new TheoryData<string, int>();
        foreach (var name in (string[])["auth/token-review", "auth/token-review-refused"])
        {
            var steps = Transcript.Load(name).Steps;
            for (var i = 0; i < steps.Count; i++)
            {
                if (steps[i] is { Method: "POST", Status: 201 } && steps[i].Path.EndsWith("/tokenreviews", StringComparison.Ordinal))
                    data.Add(name, i);
            }
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(Reviews))]
    public void RecordedVerdict_IsAcceptedOnlyForOurAudience(string name, int index)
    {
        var status = JsonSerializer.Deserialize(Transcript.Load(name).Steps[index].Body, KubeJson.Default.TokenReview)!.Status!;

        var (account, reason) = TokenReviewer.Judge(status, ["istio-ca"]);

        var good = status.Authenticated is true && status.Audiences!.Contains("istio-ca", StringComparer.Ordinal);
        Assert.Equal(good, account is not null);
        Assert.Equal(good, reason.Length == 0);
    }

    [Fact]
    public void PodBoundToken_NamesPodAndNode()
    {
        var steps = Transcript.Load("auth/token-review").Steps.Where(s => s.Body.Contains("pod-name", StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(steps);
        foreach (var step in steps)
        {
            var status = JsonSerializer.Deserialize(step.Body, KubeJson.Default.TokenReview)!.Status!;
            var (account, _) = TokenReviewer.Judge(status, status.Audiences!);
            Assert.NotNull(account);
            Assert.NotNull(account.Pod);
            Assert.NotNull(account.PodUid);
        }
    }

    [Fact]
    public void WithoutOurAudience_AnAuthenticatedTokenIsRefused()
    {
        var status = new TokenReviewStatus { Authenticated = true, Audiences = ["other"], User = new ReviewedUser { Username = "system:serviceaccount:a:b", Groups = ["system:serviceaccounts"] } };

        var (account, reason) = TokenReviewer.Judge(status, ["istio-ca"]);

        Assert.Null(account);
        Assert.Contains("istio-ca", reason, StringComparison.Ordinal);
    }

    /// <summary>.NET writes seven digits, the server takes six: what we write must have the recorded form.</summary>
    [Fact]
    public void MicroTimes_HaveSixDigits()
    {
        var recorded = Transcript.Load("leases/leader-election").First(s => s.Method == "POST").RequestBody!;
        var lease = JsonSerializer.Deserialize(recorded, KubeJson.Default.Lease)!;

        var written = JsonSerializer.Serialize(lease, KubeJson.Default.Lease);

        Assert.Contains(System.Text.Json.Nodes.JsonNode.Parse(recorded)!["spec"]!["renewTime"]!.ToJsonString(), written, StringComparison.Ordinal);
    }
}
