using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Files;
using Mesh.IstiodLite.Translation;

namespace Mesh.IstiodLite.Tests;

/// <summary>Short ways to documents and their translation.</summary>
internal static class Documents
{
    public static ParsedFile Parse(string yaml, string file = "test.yaml") => ParsedFile.Parse(file, System.Text.Encoding.UTF8.GetBytes(yaml));

    /// <summary>Standalone, as a folder of files is.</summary>
    public static Translated Translate(params ReadOnlySpan<string> yaml)
    {
        var files = new List<ParsedFile>();
        foreach (var text in yaml)
            files.Add(Parse(text, $"{files.Count}.yaml"));
        Assert.Empty(files.SelectMany(f => f.Problems).Where(p => p.Severity is ProblemSeverity.Error).Select(p => p.Reason));
        return MeshTranslator.Translate(new ResourceSet(files.SelectMany(f => f.Resources)), new MeshSettings { Standalone = true }, AddressBook.Empty);
    }

    public static string Pod(string name, string account, string ip, string labels = "app: payment", string node = "node-1", string ns = "default") => $$"""
        apiVersion: v1
        kind: Pod
        metadata:
          name: {{name}}
          namespace: {{ns}}
          labels: { {{labels}} }
          annotations: { ambient.istio.io/redirection: enabled }
        spec: { nodeName: {{node}}, serviceAccountName: {{account}}, containers: [] }
        status: { phase: Running, podIP: {{ip}}, conditions: [ { type: Ready, status: "True" } ] }
        ---

        """;

    public const string PaymentService = """
        apiVersion: v1
        kind: Service
        metadata: { name: payment }
        spec: { clusterIP: 198.19.0.1, selector: { app: payment }, ports: [ { name: http, port: 80, targetPort: 8080 } ] }
        ---

        """;

    public const string PaymentWaypoint = """
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: { name: payment-waypoint, annotations: { istio.io/for-service-account: payment } }
        spec: { gatewayClassName: istio-waypoint, listeners: [ { name: mesh, port: 15008, protocol: HBONE } ] }
        ---

        """;

    public static string Seed(string name) => File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Fixtures", "seeds", name));
}
