using System.Text.Json;
using System.Text.Json.Nodes;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Documents;
using Mesh.IstiodLite.Sources.Kubernetes;
using Mesh.IstiodLite.Validation;

namespace Mesh.IstiodLite.Admission;

/// <summary>One question of the API server (admission.k8s.io/v1) and its answer. Pure; the rules are those of files and of <c>meshctl validate</c>.</summary>
internal static class AdmissionReview
{
    /// <summary>On an object: refuse it whatever it says. Proves that the webhook is asked at all.</summary>
    public const string AlwaysReject = "internal.istio.io/webhook-always-reject";
    // The API server cuts warnings itself, and more than this nobody reads.
    private const int MostWarnings = 10;

    /// <summary>A text that is no review is a <see cref="JsonException"/>.</summary>
    public static JsonObject Answer(ReadOnlyMemory<byte> json)
    {
        var review = JsonNode.Parse(json.Span) as JsonObject ?? throw new JsonException("not an object");
        if ((string?)review["kind"] != "AdmissionReview" || review["request"] is not JsonObject request || (string?)request["uid"] is not { } uid)
            throw new JsonException("not an AdmissionReview with a request");
        var response = new JsonObject { ["uid"] = uid, ["allowed"] = true };
        // There is nothing to check in a deletion; its object is null.
        if ((string?)request["operation"] is "CREATE" or "UPDATE" && request["object"] is JsonObject document)
            Judge(document, response);
        return new JsonObject { ["kind"] = "AdmissionReview", ["apiVersion"] = (string?)review["apiVersion"] ?? "admission.k8s.io/v1", ["response"] = response };
    }

    private static void Judge(JsonObject document, JsonObject response)
    {
        if ((string?)document["metadata"]?["annotations"]?[AlwaysReject] == "true")
        {
            Deny(response, $"the annotation {AlwaysReject} asks for it");
            return;
        }
        // The rules of a configuration may name more than is known here; what is not ours is not judged.
        var apiVersion = (string?)document["apiVersion"] ?? string.Empty;
        if (KnownKinds.Find(apiVersion.Contains('/', StringComparison.Ordinal) ? apiVersion.Split('/')[0] : string.Empty, (string?)document["kind"] ?? string.Empty) is null)
            return;
        var (root, _) = ApiDocument.Read(System.Text.Encoding.UTF8.GetBytes(document.ToJsonString()), KeptFields.Whole);
        var decoded = DocumentValidator.Judge(root, string.Empty).ToList();
        if (decoded.Exists(d => d.RefusedByWebhook))
            Deny(response, string.Join("; ", decoded.SelectMany(d => d.Problems).Where(p => p.Severity is ProblemSeverity.Error).Select(p => $"{p.Reason} ({p.Fix})")));
        var warnings = decoded.SelectMany(d => d.Problems).Where(p => p.Severity is ProblemSeverity.Warning).Take(MostWarnings).Select(p => (JsonNode)$"{p.Reason}; {p.Fix}").ToArray();
        if (warnings.Length > 0)
            response["warnings"] = new JsonArray(warnings);
    }

    private static void Deny(JsonObject response, string message)
    {
        response["allowed"] = false;
        // Without a code the client would see a 400 without a reason.
        response["status"] = new JsonObject { ["code"] = 422, ["reason"] = "Invalid", ["message"] = message };
    }
}
