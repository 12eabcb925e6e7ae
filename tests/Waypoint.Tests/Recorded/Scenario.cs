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

/// <summary>What came back to the client, and what reached the instances for it.</summary>
internal sealed class Seen
{
    public int? Status { get; set; }

    public string? Error { get; set; }

    public string? Version { get; set; }

    public List<(string Name, string Value)> Headers { get; } = [];

    public List<(string Name, string Value)> Trailers { get; } = [];

    public List<int> Interim { get; } = [];

    public string Body { get; private set; } = string.Empty;

    /// <summary>Set where the body is longer than what is kept of it.</summary>
    public int? BodyLength { get; private set; }

    /// <summary>The code of RST_STREAM.</summary>
    public int? Reset { get; set; }

    public string? TunnelReply { get; set; }

    /// <summary>Raw requests: every response on the connection, and whether it was closed afterwards.</summary>
    public List<Seen>? Responses { get; set; }

    public string? Connection { get; set; }

    public List<Attempt> Attempts { get; } = [];

    public LogEntry? Log { get; set; }

    public string? Header(string name) => Headers.Where(h => h.Name.Equals(name, StringComparison.OrdinalIgnoreCase)).Select(h => h.Value).FirstOrDefault();

    public void SetBody(string body)
    {
        Body = body.Length > 2000 ? body[..200] : body;
        BodyLength = body.Length > 2000 ? body.Length : null;
    }
}

/// <summary>What the access log says of a request.</summary>
internal sealed record LogEntry(string Flags, string? Details);

/// <summary>One request that reached an instance.</summary>
internal sealed record Attempt(string Instance, int Number, string Protocol, string Method, string Path, List<(string Name, string Value)> Headers)
{
    public string Framing { get; set; } = "none";

    public int BodyLength { get; private set; }

    /// <summary>Its beginning.</summary>
    public string Body { get; private set; } = string.Empty;

    public List<(string Name, string Value)> Trailers { get; } = [];

    public string Group => GroupOf(Instance);

    public string Service => GroupOf(Group);

    public static string GroupOf(string name) => name[..name.LastIndexOf('-')];

    public string? Header(string name) => Headers.Where(h => h.Name.Equals(name, StringComparison.OrdinalIgnoreCase)).Select(h => h.Value).FirstOrDefault();

    public void SetBody(string body)
    {
        Body = body.Length > 200 ? body[..200] : body;
        BodyLength = body.Length;
    }
}
