using System.Text.Json;
using System.Text.Json.Nodes;

namespace Mesh.Cni;

/// <summary>Puts the plugin on a node and at the end of the chain of the node's own plugins; takes it back.</summary>
internal static class Installation
{
    private const string PluginType = "mesh-cni";

    private static readonly JsonSerializerOptions Readable = new() { WriteIndented = true };

    public static int Run(string[] args, bool install, TextWriter output, TextWriter errors)
    {
        var options = args.Select(a => a.Split('=', 2)).Where(p => p.Length == 2).ToDictionary(p => p[0], p => p[1], StringComparer.Ordinal);
        var unknown = args.FirstOrDefault(a => a.Split('=', 2)[0] is not ("--bin-dir" or "--conf-dir" or "--agent-socket" or "--required" or "--access" or "--home" or "--excluded") || !a.Contains('=', StringComparison.Ordinal));
        if (unknown is not null || !options.TryGetValue("--bin-dir", out var bin) || !options.TryGetValue("--conf-dir", out var conf))
        {
            errors.WriteLine(unknown is null ? "mesh-cni: --bin-dir=DIR and --conf-dir=DIR are needed" : $"mesh-cni: unknown argument '{unknown}'");
            return 64;
        }

        try
        {
            if (!install)
            {
                Unchain(conf, output);
                Remove(bin);
                return 0;
            }

            CopyProgram(bin);
            // As nodes: the generic Add would keep the trimmer from shortening the program.
            var ours = new JsonObject
            {
                ["type"] = PluginType,
                ["agentSocket"] = options.GetValueOrDefault("--agent-socket", Agent.DefaultSocket),
                ["required"] = options.GetValueOrDefault("--required", "true") == "true",
                ["accessFile"] = options.GetValueOrDefault("--access"),
                ["home"] = options.GetValueOrDefault("--home", "istio-system"),
                ["excludedNamespaces"] = new JsonArray([.. options.GetValueOrDefault("--excluded", string.Empty).Split(',', StringSplitOptions.RemoveEmptyEntries).Select(n => (JsonNode)n)]),
            };
            return Chain(conf, ours, output, errors);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            errors.WriteLine($"mesh-cni: {e.Message}");
            return 74;
        }
    }

    /// <summary>The first file in the order of names is the one that runtimes use.</summary>
    private static int Chain(string folder, JsonNode ours, TextWriter output, TextWriter errors)
    {
        var file = Directory.EnumerateFiles(folder).Where(f => Path.GetExtension(f) is ".conf" or ".conflist" or ".json").Order(StringComparer.Ordinal).FirstOrDefault();
        if (file is null)
        {
            errors.WriteLine($"mesh-cni: {folder} has no network configuration yet: the pod network must be installed first");
            return 75;
        }

        var text = File.ReadAllText(file);
        var list = JsonNode.Parse(text) as JsonObject ?? throw new JsonException($"{file} is no JSON object");
        if (list["plugins"] is not JsonArray)
        {
            // A single plugin becomes a list of one; runtimes take .conflist the same way.
            list = new JsonObject { ["cniVersion"] = list["cniVersion"]?.DeepClone() ?? "0.3.1", ["name"] = list["name"]?.DeepClone() ?? "k8s-pod-network", ["plugins"] = new JsonArray(list.DeepClone()) };
        }

        Take(list);
        list["plugins"]!.AsArray().Add(ours);
        var target = Path.ChangeExtension(file, ".conflist");
        var now = list.ToJsonString(Readable) + "\n";
        if (target == file && now == text)
        {
            return 0;
        }

        Replace(target, now);
        if (target != file)
            File.Delete(file);
        output.WriteLine($"the plugin is chained in {target}");
        return 0;
    }

    private static void Unchain(string folder, TextWriter output)
    {
        foreach (var file in Directory.EnumerateFiles(folder, "*.conflist"))
        {
            if (JsonNode.Parse(File.ReadAllText(file)) is JsonObject list && list["plugins"] is JsonArray && Take(list))
            {
                Replace(file, list.ToJsonString(Readable) + "\n");
                output.WriteLine($"the plugin is taken out of {file}");
            }
        }
    }

    /// <returns>Whether it was there.</returns>
    private static bool Take(JsonObject list)
    {
        var plugins = list["plugins"]!.AsArray();
        var ours = plugins.Where(p => (string?)p?["type"] == PluginType).ToList();
        ours.ForEach(p => plugins.Remove(p));
        return ours.Count > 0;
    }

    /// <summary>Runtimes read the folder at any time: they see the old file or the new one.</summary>
    private static void Replace(string file, string text)
    {
        var temporary = file + ".mesh-new";
        File.WriteAllText(temporary, text);
        File.SetUnixFileMode(temporary, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.Move(temporary, file, overwrite: true);
    }

    private static void CopyProgram(string folder)
    {
        Directory.CreateDirectory(folder);
        var home = Path.Combine(folder, "mesh-cni.d");
        Directory.CreateDirectory(home);
        foreach (var file in Directory.EnumerateFiles(AppContext.BaseDirectory))
            Place(file, Path.Combine(home, Path.GetFileName(file)));
        // The runtime looks for a program of the plugin's type beside the others.
        var link = Path.Combine(folder, PluginType + ".new");
        File.Delete(link);
        File.CreateSymbolicLink(link, Path.Combine("mesh-cni.d", PluginType));
        File.Move(link, Path.Combine(folder, PluginType), overwrite: true);
    }

    private static void Place(string from, string to)
    {
        // A program that runs cannot be written to, but it can be replaced.
        File.Copy(from, to + ".new", overwrite: true);
        File.Move(to + ".new", to, overwrite: true);
    }

    private static void Remove(string folder)
    {
        File.Delete(Path.Combine(folder, PluginType));
        var home = Path.Combine(folder, "mesh-cni.d");
        if (Directory.Exists(home))
            Directory.Delete(home, recursive: true);
    }
}
