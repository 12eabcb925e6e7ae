using System.Text.Json;
using System.Text.Json.Nodes;

namespace Mesh.Cni;

/// <summary>What a container runtime gives a plugin.</summary>
internal sealed record Invocation(Func<string, string?> Environment, TextReader Input, TextWriter Output);

/// <summary>
/// The chained plugin: at the start of a pod it asks the node's agent, which captures the pod if it takes part; the pod starts when that is done, so
/// no packet of it leaves outside the mesh. It changes nothing itself and passes the result of the plugins before it on.
/// </summary>
internal static class Plugin
{
    // Error codes of the CNI specification, section 5: 100 and above are a plugin's own, 11 asks the runtime to try again later.
    private const int BadEnvironment = 4;
    private const int BadConfiguration = 7;
    private const int TryAgainLater = 11;

    /// <summary>Pods of the agent's DaemonSet: its name, and what the controller adds.</summary>
    private const string AgentPods = "ztunnel-";

    private static readonly string[] Versions = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];

    public static int Run(Invocation call)
    {
        var command = call.Environment("CNI_COMMAND");
        var version = "1.0.0";
        try
        {
            if (command == "VERSION")
                return Print(call, new JsonObject { ["cniVersion"] = Versions[^1], ["supportedVersions"] = new JsonArray([.. Versions.Select(v => (JsonNode)v)]) });
            var configuration = JsonNode.Parse(call.Input.ReadToEnd()) as JsonObject ?? throw new JsonException("no object");
            version = (string?)configuration["cniVersion"] ?? version;
            return command switch
            {
                "ADD" => Add(call, configuration, version),
                // The agent follows the pods of its node by itself: what ends, it sees.
                "DEL" or "CHECK" or "GC" or "STATUS" => 0,
                _ => Fail(call, version, BadEnvironment, $"CNI_COMMAND is '{command}'", "this program is called by a container runtime; see mesh-cni install"),
            };
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return Fail(call, version, BadConfiguration, "the configuration on standard input cannot be read", e.Message);
        }
    }

    private static int Add(Invocation call, JsonObject configuration, string version)
    {
        var arguments = Arguments(call.Environment("CNI_ARGS"));
        var result = configuration["prevResult"]?.DeepClone() ?? new JsonObject { ["cniVersion"] = version };
        // Not a pod of Kubernetes: nobody could have asked for it.
        if (!arguments.TryGetValue("K8S_POD_NAMESPACE", out var ns) || !arguments.TryGetValue("K8S_POD_NAME", out var name))
            return Print(call, result);
        if (call.Environment("CNI_NETNS") is not { Length: > 0 } network)
            return Fail(call, version, BadEnvironment, "CNI_NETNS is not set", $"pod {ns}/{name}");

        if (IsExempt(configuration, ns, name))
            return Print(call, result);

        var request = new JsonObject
        {
            ["podNamespace"] = ns,
            ["podName"] = name,
            ["networkNamespace"] = network,
            ["addresses"] = new JsonArray([.. Addresses(result).Select(a => (JsonNode)a)]),
        };
        var socket = (string?)configuration["agentSocket"] ?? Agent.DefaultSocket;
        var answer = Agent.Ask(socket, request);
        if (answer.Error is null || (answer.IsUnreachable && configuration["required"]?.GetValue<bool>() == false))
            return Print(call, result);
        // The agent's absence is no reason to keep everybody else of the node from starting.
        if (answer.IsUnreachable && (string?)configuration["accessFile"] is { } access && ClusterQuestion.IsOutsideAsync(access, ns, name).GetAwaiter().GetResult())
            return Print(call, result);
        return Fail(call, version, TryAgainLater, answer.Error, answer.IsUnreachable
            ? $"the mesh's agent on this node is not there, and pod {ns}/{name} would start outside the mesh: see kubectl -n {(string?)configuration["home"] ?? "istio-system"} get pods -l app=ztunnel -o wide; pods start without it where ztunnel.cni.required is false"
            : $"pod {ns}/{name}");
    }

    /// <summary>
    /// Never captured, and not to be held up: the agent itself, without which nobody would answer, and namespaces that take no part at all, where the
    /// cluster keeps what the agent needs to start (its name server, for instance).
    /// </summary>
    private static bool IsExempt(JsonObject configuration, string ns, string name) =>
        (ns == (string?)configuration["home"] && name.StartsWith(AgentPods, StringComparison.Ordinal))
        || (configuration["excludedNamespaces"] as JsonArray ?? []).Any(excluded => (string?)excluded == ns);

    /// <summary>CNI_ARGS: <c>KEY=VALUE;KEY=VALUE</c>.</summary>
    private static Dictionary<string, string> Arguments(string? text) => (text ?? string.Empty).Split(';', StringSplitOptions.RemoveEmptyEntries)
        .Select(p => p.Split('=', 2)).Where(p => p.Length == 2).GroupBy(p => p[0], StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Last()[1], StringComparer.Ordinal);

    private static IEnumerable<string> Addresses(JsonNode result) => (result["ips"] as JsonArray ?? []).Select(i => (string?)i?["address"]).OfType<string>().Select(a => a.Split('/')[0]);

    private static int Print(Invocation call, JsonNode result)
    {
        call.Output.WriteLine(result.ToJsonString());
        return 0;
    }

    private static int Fail(Invocation call, string version, int code, string message, string details)
    {
        call.Output.WriteLine(new JsonObject { ["cniVersion"] = version, ["code"] = code, ["msg"] = $"mesh-cni: {message}", ["details"] = details }.ToJsonString());
        return 1;
    }
}
