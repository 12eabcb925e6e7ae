using System.Net;
using System.Text.Json.Nodes;

namespace Mesh.Waypoint.Tests.Recorded;

/// <summary>One recorded scenario: the behaviour of the real waypoint for a list of scripted cases.</summary>
internal sealed class Scenario
{
    private Scenario(string name, JsonNode document)
    {
        Name = name;
        Document = document;
    }

    public string Name { get; }

    public JsonNode Document { get; }

    public string DefaultIdentity => (string)Document["default_identity"]!;

    public IEnumerable<JsonNode> Cases => Document["cases"]!.AsArray()!;

    public IEnumerable<JsonNode> Instances => Document["instances"]!.AsArray()!;

    public IEnumerable<(string Name, IPAddress Vip, int Port, string Host)> Services => Document["services"]!.AsObject()
        .Select(s => (s.Key, IPAddress.Parse((string)s.Value!["vip"]!), (int)s.Value!["port"]!, (string)s.Value!["host"]!));

    /// <summary>Its instances are HTTP/2 ones, which are not played here.</summary>
    public bool SpeaksHttp2(string service) =>
        Instances.Any(i => (string?)i["proto"] == "h2c" && ((string)i["name"]!).StartsWith(service + "-", StringComparison.Ordinal));

    public static string FolderOf(string name) => Path.Combine(AppContext.BaseDirectory, "Fixtures", "l7", name);

    public static Scenario Load(string name) => new(name, JsonNode.Parse(File.ReadAllText(Path.Combine(FolderOf(name), "cases.json")))!);

    /// <summary>Text or <c>{"repeat","times"}</c>.</summary>
    public static string? Expand(JsonNode? node) => node switch
    {
        null => null,
        JsonObject repeated => string.Concat(Enumerable.Repeat((string)repeated["repeat"]!, (int)repeated["times"]!)),
        _ => (string)node!,
    };

    public static IEnumerable<(string Name, string Value)> Headers(JsonNode? list) =>
        (list as JsonArray ?? []).Select(h => ((string)h![0]!, Expand(h[1])!));
}

/// <summary>A message as either side saw it.</summary>
internal sealed class Seen
{
    public int? Status { get; set; }

    public string? Error { get; set; }

    public List<(string Name, string Value)> Headers { get; } = [];

    public string Body { get; set; } = string.Empty;

    public int BodyLength { get; set; }

    public string? TunnelReply { get; set; }

    public List<Attempt> Attempts { get; } = [];

    public string? Header(string name) => Headers.Where(h => h.Name.Equals(name, StringComparison.OrdinalIgnoreCase)).Select(h => h.Value).FirstOrDefault();
}

/// <summary>One request that reached an instance.</summary>
internal sealed record Attempt(string Instance, int Number, string Method, string Path, List<(string Name, string Value)> Headers)
{
    public string Framing { get; set; } = "none";

    public int BodyLength { get; set; }

    public string Group => Instance[..Instance.LastIndexOf('-')];

    public string Service => Group[..Group.LastIndexOf('-')];
}
