using System.Text;
using System.Text.Json.Nodes;
using Mesh.IstiodLite.Admission;

namespace Mesh.IstiodLite.Tests.OnKubernetes;

/// <summary>The validating webhook: recorded reviews, and the whole way through an API server.</summary>
public sealed class WebhookTests
{
    private const string Configuration = """
        {"apiVersion":"admissionregistration.k8s.io/v1","kind":"ValidatingWebhookConfiguration","metadata":{"name":"istio-validator-istio-system"},
         "webhooks":[{"name":"rev.validation.istio.io","clientConfig":{"service":{"name":"istiod","namespace":"istio-system","path":"/validate"} },"failurePolicy":"Ignore","sideEffects":"None","admissionReviewVersions":["v1"],
          "rules":[{"operations":["CREATE","UPDATE"],"apiGroups":["security.istio.io","networking.istio.io"],"apiVersions":["*"],"resources":["*"]}]}] }
        """;

    /// <summary>As the real server asked: the answer is for the same uid, in the same version, also where there is no object.</summary>
    [Fact]
    public void RecordedReviews_AreAnswered()
    {
        var calls = Calls(JsonNode.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Fixtures", "kube", "webhooks-validating.json")))!).ToList();
        Assert.NotEmpty(calls);
        Assert.Contains(calls, c => (string?)c["request"]!["operation"] == "DELETE");
        foreach (var review in calls)
        {
            var answer = AdmissionReview.Answer(Encoding.UTF8.GetBytes(review.ToJsonString()));
            Assert.Equal((string?)review["request"]!["uid"], (string?)answer["response"]!["uid"]);
            Assert.Equal("admission.k8s.io/v1", (string?)answer["apiVersion"]);
            if ((string?)review["request"]!["operation"] == "DELETE")
                Assert.True((bool)answer["response"]!["allowed"]!);
        }
    }

    [Theory]
    [InlineData("""{"apiVersion":"security.istio.io/v1","kind":"AuthorizationPolicy","metadata":{"name":"p","namespace":"a"},"spec":{"action":"DENY"}}""", false)]
    [InlineData("""{"apiVersion":"security.istio.io/v1","kind":"AuthorizationPolicy","metadata":{"name":"p","namespace":"a"},"spec":{"rules":[{"from":[{"source":{"namespaces":["a"]}}]}]}}""", true)]
    [InlineData("""{"apiVersion":"example.com/v1","kind":"Unknown","metadata":{"name":"p"}}""", true)]
    [InlineData("""{"apiVersion":"security.istio.io/v1","kind":"PeerAuthentication","metadata":{"name":"p","namespace":"a","annotations":{"internal.istio.io/webhook-always-reject":"true"}},"spec":{}}""", false)]
    public void Verdicts_AreThoseOfTheValidator(string document, bool allowed)
    {
        var review = new JsonObject { ["kind"] = "AdmissionReview", ["apiVersion"] = "admission.k8s.io/v1", ["request"] = new JsonObject { ["uid"] = "u", ["operation"] = "CREATE", ["object"] = JsonNode.Parse(document) } };

        var response = AdmissionReview.Answer(Encoding.UTF8.GetBytes(review.ToJsonString()))["response"]!;

        Assert.Equal(allowed, (bool)response["allowed"]!);
        Assert.Equal(!allowed, response["status"] is not null);
    }

    [Fact]
    public async Task InstalledWebhook_IsTrusted_Proven_AndThenRefuses()
    {
        await using var rig = await ClusterRig.StartAsync();
        rig.Put(Configuration);
        var host = await rig.ControlPlaneAsync();
        // Until it is reachable nothing is proven: it stays at Ignore.
        var trusted = await rig.ObjectAsync("admissionregistration.k8s.io", "validatingwebhookconfigurations", "", "istio-validator-istio-system", c => c["webhooks"]![0]!["clientConfig"]!["caBundle"] is not null);
        Assert.Equal("Ignore", (string?)trusted["webhooks"]![0]!["failurePolicy"]);

        rig.Server.Webhooks.Route("istio-system", "istiod", new Uri($"https://{host.WebhookEndPoint}"));
        rig.Put(Configuration.Replace("\"Ignore\"", "\"Ignore\",\"timeoutSeconds\":9", StringComparison.Ordinal));
        await rig.ObjectAsync("admissionregistration.k8s.io", "validatingwebhookconfigurations", "", "istio-validator-istio-system", c => (string?)c["webhooks"]![0]!["failurePolicy"] == "Fail");

        using var http = new HttpClient();
        http.DefaultRequestHeaders.Authorization = new("Bearer", Testing.Kubernetes.FakeApiServer.AdminToken);
        using var refused = await http.PostAsync(new Uri(rig.Server.PlainAddress, "/apis/security.istio.io/v1/namespaces/shop/authorizationpolicies"), new StringContent(
            """{"apiVersion":"security.istio.io/v1","kind":"AuthorizationPolicy","metadata":{"name":"p"},"spec":{"action":"DENY"}}""", Encoding.UTF8, "application/json"));
        var text = await refused.Content.ReadAsStringAsync();
        Assert.Equal(422, (int)refused.StatusCode);
        Assert.Contains("admission webhook \\u0022rev.validation.istio.io\\u0022 denied the request", text, StringComparison.Ordinal);
        Assert.Null(rig.Server.Get("security.istio.io", "authorizationpolicies", "shop", "p"));
    }

    private static IEnumerable<JsonObject> Calls(JsonNode transcript) =>
        transcript["steps"]!.AsArray().SelectMany(s => s!["webhook_calls"] as JsonArray ?? []).Select(c => c!["request"]?["body"] is JsonValue body ? JsonNode.Parse((string)body!) : c["request"]).OfType<JsonObject>().Where(r => r["request"] is not null);
}
