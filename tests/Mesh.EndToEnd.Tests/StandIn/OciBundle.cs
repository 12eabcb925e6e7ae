using System.Globalization;
using System.Text.Json.Nodes;

namespace Mesh.EndToEnd.Tests.StandIn;

/// <param name="Propagates">Mounts that the node makes later appear inside (HostToContainer).</param>
internal sealed record ContainerMount(string Source, string Destination, bool ReadOnly, bool Propagates = false);

/// <summary>What the kubelet decides for a container beside its specification.</summary>
internal sealed record ContainerPlace
{
    public required string Root { get; init; }
    public required string NetworkPath { get; init; }
    public required string ControlGroup { get; init; }

    /// <summary>Null: any system call.</summary>
    public JsonNode? Seccomp { get; init; }
    public required IReadOnlyList<ContainerMount> Mounts { get; init; }
    public required IReadOnlyList<string> Environment { get; init; }
}

/// <summary>From a container of a pod's specification to what an OCI runtime runs, with the security context as a kubelet applies it.</summary>
internal static class OciBundle
{
    /// <summary>What container runtimes give where nothing is dropped.</summary>
    public static IReadOnlyList<string> DefaultCapabilities { get; } =
        ["CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE"];

    /// <summary>Whether the pod asks for the runtime's own filter of system calls.</summary>
    public static bool WantsDefaultSeccomp(JsonNode pod, JsonNode container) =>
        (string?)(container["securityContext"]?["seccompProfile"] ?? pod["spec"]!["securityContext"]?["seccompProfile"])?["type"] == "RuntimeDefault";

    public static IReadOnlyList<string> CapabilitiesOf(JsonNode container) => Capabilities(container["securityContext"]?["capabilities"]);

    /// <param name="image">The configuration that unpacking the image gave.</param>
    /// <exception cref="InvalidOperationException">What a kubelet refuses to run.</exception>
    public static JsonObject Make(JsonObject image, JsonNode pod, JsonNode container, ContainerPlace place)
    {
        var result = image.DeepClone().AsObject();
        var (context, podContext) = (container["securityContext"], pod["spec"]!["securityContext"]);
        var process = result["process"]!.AsObject();
        var user = (int?)(context?["runAsUser"] ?? podContext?["runAsUser"] ?? process["user"]!["uid"]) ?? 0;
        if (user == 0 && (bool?)(context?["runAsNonRoot"] ?? podContext?["runAsNonRoot"]) == true)
            throw new InvalidOperationException($"container has runAsNonRoot and image will run as root (container {container["name"]})");
        process["terminal"] = false;
        process["user"] = new JsonObject { ["uid"] = user, ["gid"] = (int?)(context?["runAsGroup"] ?? podContext?["runAsGroup"] ?? process["user"]!["gid"]) ?? 0 };
        process["args"] = Texts([.. container["command"] is JsonArray command ? Strings(command) : Strings(process["args"]!.AsArray()), .. Strings(container["args"] as JsonArray ?? [])]);
        process["env"] = Texts([.. Strings(process["env"]!.AsArray()), .. place.Environment]);
        process["noNewPrivileges"] = (bool?)context?["allowPrivilegeEscalation"] == false;
        var capabilities = CapabilitiesOf(container);
        process["capabilities"] = new JsonObject { ["bounding"] = Texts(capabilities), ["effective"] = Texts(capabilities), ["permitted"] = Texts(capabilities) };
        // The runtime's own limits, as nodes are set up; raising them is not allowed everywhere.
        process.Remove("rlimits");
        result["hostname"] = (string?)pod["metadata"]!["name"];
        result["root"] = new JsonObject { ["path"] = place.Root, ["readonly"] = (bool?)context?["readOnlyRootFilesystem"] == true };
        var linux = result["linux"]!.AsObject();
        linux["cgroupsPath"] = place.ControlGroup;
        if (place.Seccomp is { } seccomp)
            linux["seccomp"] = seccomp.DeepClone();
        if ((string?)container["resources"]?["limits"]?["memory"] is { } memory)
            linux["resources"]!["memory"] = new JsonObject { ["limit"] = Bytes(memory) };
        linux["namespaces"]!.AsArray().First(n => (string?)n!["type"] == "network")!["path"] = place.NetworkPath;
        var mounts = result["mounts"]!.AsArray();
        foreach (var mount in place.Mounts)
        {
            JsonNode bound = new JsonObject
            {
                ["destination"] = mount.Destination,
                ["type"] = "bind",
                ["source"] = mount.Source,
                ["options"] = Texts(["rbind", mount.Propagates ? "rslave" : "rprivate", mount.ReadOnly ? "ro" : "rw"]),
            };
            mounts.Add(bound);
        }
        return result;
    }

    private static List<string> Capabilities(JsonNode? change)
    {
        var drop = Strings(change?["drop"] as JsonArray ?? []).ToHashSet(StringComparer.Ordinal);
        return [.. DefaultCapabilities.Where(c => !drop.Contains("ALL") && !drop.Contains(c)).Concat(Strings(change?["add"] as JsonArray ?? [])).Select(c => $"CAP_{c}")];
    }

    private static long Bytes(string quantity)
    {
        var unit = quantity[^2..] switch { "Ki" => 1L << 10, "Mi" => 1L << 20, "Gi" => 1L << 30, _ => throw new InvalidOperationException($"a quantity that is not used here: {quantity}") };
        return long.Parse(quantity[..^2], CultureInfo.InvariantCulture) * unit;
    }

    private static IEnumerable<string> Strings(JsonArray array) => array.Select(t => (string)t!);

    private static JsonArray Texts(IEnumerable<string> texts) => new([.. texts.Select(t => (JsonNode)t)]);
}
