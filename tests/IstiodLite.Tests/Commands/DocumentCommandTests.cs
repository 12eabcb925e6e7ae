using System.Text.Json.Nodes;
using Mesh.IstiodLite.Commands;
using Mesh.Runtime;

namespace Mesh.IstiodLite.Tests.Commands;

/// <summary>validate, translate and analyze, as people and scripts call them.</summary>
public sealed class DocumentCommandTests : IDisposable
{
    private const string Good = "apiVersion: v1\nkind: Namespace\nmetadata: { name: shop }\n";
    private const string Bad = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: v, namespace: shop }\nspec:\n  hosts: [checkout]\n  http:\n  - rout: []\n";
    private readonly string _folder = Directory.CreateTempSubdirectory("documents-").FullName;
    private readonly StringWriter _output = new();
    private readonly StringWriter _error = new();

    public void Dispose()
    {
        Directory.Delete(_folder, recursive: true);
        _output.Dispose();
        _error.Dispose();
    }

    [Fact]
    public void Validate_Json_IsOneVerdictPerDocument()
    {
        var file = Write("a.yaml", $"{Good}---\n{Bad}---\nkind: [\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{ name: d }}\n");
        Assert.Equal(ExitCodes.Data, ValidateCommand.Execute(new ValidateOptions { Paths = [file], Output = "json" }, _output, _error));
        var verdicts = JsonNode.Parse(_output.ToString())!.AsArray();
        Assert.Equal(["accept", "reject", "reject", "accept"], verdicts.Select(v => (string?)v!["verdict"]));
        Assert.Equal(("shop", "v", 11), ((string?)verdicts[1]!["namespace"], (string?)verdicts[1]!["name"], (int)verdicts[1]!["reasons"]![0]!["line"]!));
        Assert.Equal(("Deployment", "d"), ((string?)verdicts[3]!["kind"], (string?)verdicts[3]!["name"]));
        Assert.Contains("did you mean route?", (string)verdicts[1]!["reasons"]![0]!["fix"]!, StringComparison.Ordinal);
    }

    [Fact]
    public void Validate_OnlyGood_IsZeroAndText()
    {
        Assert.Equal(ExitCodes.Ok, ValidateCommand.Execute(new ValidateOptions { Paths = [Write("a.yaml", Good)], Output = "text" }, _output, _error));
        Assert.Contains("a.yaml:1 Namespace shop: accepted", _output.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("no-such-file.yaml", "json", "does not exist")]
    [InlineData("/dev/null", "xml", "--output is \"xml\"; write json or text")]
    public void Validate_Nonsense_IsAUsageErrorThatNamesIt(string path, string output, string message)
    {
        Assert.Equal(ExitCodes.Usage, ValidateCommand.Execute(new ValidateOptions { Paths = [path], Output = output }, _output, _error));
        Assert.Contains(message, _error.ToString(), StringComparison.Ordinal);
        Assert.Empty(_output.ToString());
    }

    [Fact]
    public void Validate_FilesWithoutADocument_SaysSo()
    {
        Assert.Equal(ExitCodes.Ok, ValidateCommand.Execute(new ValidateOptions { Paths = [Write("a.yaml", "# nothing yet\n")], Output = "text" }, _output, _error));
        Assert.Contains("there is no document in ", _error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Validate_AFileThatIsNoText_ShowsNoControlCharacters()
    {
        Assert.Equal(ExitCodes.Data, ValidateCommand.Execute(new ValidateOptions { Paths = [Write("a.yaml", "\u001b[31m\u0007")], Output = "text" }, _output, _error));
        Assert.DoesNotContain(_output.ToString(), c => char.IsControl(c) && c != '\n');
    }

    [Theory]
    [InlineData("wp-canary")]
    [InlineData("ap-l7-deny")]
    public void Translate_Json_IsInTheFormatOfTheRecordings(string scenario)
    {
        var folder = Path.Combine(AppContext.BaseDirectory, "Fixtures", "wds", scenario);
        TranslateCommand.Execute(new TranslateOptions { Paths = [Path.Combine(folder, "input.yaml")], Output = "json" }, _output, _error);
        var json = JsonNode.Parse(_output.ToString())!;
        foreach (var part in (ReadOnlySpan<string>)["addresses", "authorizations", "status"])
        {
            var recorded = Path.Combine(folder, part + ".json");
            if (File.Exists(recorded))
                Assert.Equal(Names(JsonNode.Parse(File.ReadAllText(recorded))!), Names(json[part]!));
        }
    }

    [Fact]
    public void Diff_SaysWhatChangesForWhom()
    {
        var pod = Documents.Pod("p", "payment", "198.18.2.2");
        var old = Write("old.yaml", Documents.PaymentService + pod);
        var renewed = Write("new.yaml", Documents.PaymentService + pod.Replace("\"True\"", "\"False\"", StringComparison.Ordinal)
            + "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: p }\nspec: { selector: { matchLabels: { app: payment } } }\n");
        Assert.Equal(ExitCodes.Ok, TranslateCommand.Execute(new TranslateOptions { Paths = [old, renewed], Diff = true, Output = "json" }, _output, _error));
        var changes = JsonNode.Parse(_output.ToString())!["changes"]!.AsArray();
        var workload = changes.Single(c => (string)c!["name"]! == "Kubernetes//Pod/default/p")!;
        Assert.Equal(("workload", "changed"), ((string)workload["type"]!, (string)workload["change"]!));
        Assert.Contains("on node node-1", (string)workload["for"]!, StringComparison.Ordinal);
        Assert.Contains(workload["fields"]!.AsArray(), f => (string)f!["path"]! == "workload.status" && (string)f["new"]! == "UNHEALTHY");
        var policy = changes.Single(c => (string)c!["type"]! == "authorization")!;
        Assert.Equal(("default/p", "added", "what it selects (Kubernetes//Pod/default/p)"), ((string)policy["name"]!, (string)policy["change"]!, (string)policy["for"]!));
    }

    [Fact]
    public void Diff_OfTheSame_IsNothing()
    {
        var file = Write("a.yaml", Documents.PaymentService + Documents.PaymentWaypoint);
        Assert.Equal(ExitCodes.Ok, TranslateCommand.Execute(new TranslateOptions { Paths = [file, file], Diff = true, Standalone = true, Output = "text" }, _output, _error));
        Assert.EndsWith("nothing changes for anybody\n", _output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Diff_OfOnePath_IsAUsageError() =>
        Assert.Equal(ExitCodes.Usage, TranslateCommand.Execute(new TranslateOptions { Paths = [Write("a.yaml", Good)], Diff = true, Output = "text" }, _output, _error));

    [Fact]
    public void Analyze_NamesWhatIsThereTwice()
    {
        var (a, b) = (Write("a.yaml", Good), Write("b.yaml", Good));
        Assert.Equal(ExitCodes.Data, AnalyzeCommand.Execute(new AnalyzeOptions { Paths = [a, b], Output = "json" }, _output, _error));
        Assert.Contains("already defined at", (string)Assert.Single(JsonNode.Parse(_output.ToString())!.AsArray())!["reason"]!, StringComparison.Ordinal);
    }

    private static IEnumerable<string> Names(JsonNode list) => list.AsArray().Select(n => $"{n!["kind"]} {n["namespace"]} {n["name"]} {n["writer"]}");

    private string Write(string name, string text)
    {
        var path = Path.Combine(_folder, name);
        File.WriteAllText(path, text);
        return path;
    }
}
