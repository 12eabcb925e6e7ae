using System.Text.Json.Nodes;
using Mesh.IstiodLite.Sources.Documents;
using Mesh.IstiodLite.Sources.Yaml;
using Mesh.IstiodLite.Validation;

namespace Mesh.IstiodLite.Tests.Validation;

/// <summary>What the real istiod's webhook and the schemas of the same version said about documents (Fixtures/validation).</summary>
public sealed class ReplayTests
{
    private static readonly JsonNode[] _cases =
        [.. File.ReadLines(Path.Combine(AppContext.BaseDirectory, "Fixtures", "validation", "cases.jsonl")).Select(l => JsonNode.Parse(l)!)];

    public static TheoryData<string> Ids => [.. _cases.Select(c => (string)c["id"]!)];

    [Fact]
    public void Cases_AreAllThere() => Assert.Equal(216, _cases.Length);

    [Theory]
    [MemberData(nameof(Ids))]
    public void Document_AsAWebhook_GetsIstiosVerdict(string id)
    {
        var (recorded, judged) = Judge(id);
        Assert.True(judged.RefusedByWebhook == ((string)recorded["verdict"]! == "reject"), $"recorded {recorded["verdict"]} {recorded["error"]}, ours: {Reasons(judged)}");
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public void Document_AsAFile_IsInForceWhereWebhookAndSchemaAccept(string id)
    {
        var (recorded, judged) = Judge(id);
        var accepted = (string)recorded["verdict"]! == "accept" && (string)recorded["crdVerdict"]! == "accept";
        Assert.True(judged.Resource is not null == accepted, $"recorded {recorded["verdict"]} {recorded["error"]}, {recorded["crdVerdict"]} {recorded["crdError"]}, ours: {Reasons(judged)}");
        Assert.All(judged.Problems, p => Assert.True(p.Line > 0 && p.Reason.Length > 0 && p.Fix.Length > 0));
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public void Document_IstioWarnsAbout_IsWarnedAbout(string id)
    {
        var (recorded, judged) = Judge(id);
        if (recorded["warnings"] is JsonArray { Count: > 0 } warnings)
            Assert.True(judged.Problems.Count(p => p.Severity is Resources.ProblemSeverity.Warning) >= warnings.Count, $"recorded {warnings.ToJsonString()}, ours: {Reasons(judged)}");
    }

    private static (JsonNode Recorded, DecodedDocument Judged) Judge(string id)
    {
        var recorded = _cases.Single(c => (string)c["id"]! == id);
        return (recorded, Assert.Single(DocumentValidator.Judge(YamlDocumentReader.Read((string)recorded["yaml"]!, 1)!, "case.yaml")));
    }

    private static string Reasons(DecodedDocument judged) => string.Join("; ", judged.Problems.Select(p => $"{p.Severity} {p.Line}: {p.Reason}"));
}
