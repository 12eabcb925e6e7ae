using Mesh.Runtime;
using YamlDotNet.RepresentationModel;

namespace Mesh.Ztunnel.Settings;

/// <summary>The <c>proxyConfig</c> of the mesh: <c>PROXY_CONFIG</c> over <c>defaultConfig</c> of the mesh file. YAML or JSON.</summary>
internal sealed record ProxyConfig(string? DiscoveryAddress, int? AdminPort, int? StatsPort, int? Concurrency, Dictionary<string, string> Metadata)
{
    private const string MeshFile = "./etc/istio/config/mesh";

    public static ProxyConfig? Read(EnvironmentSettings env)
    {
        var mesh = File.Exists(MeshFile) ? Parse(env, MeshFile, File.ReadAllText(MeshFile), "defaultConfig") : null;
        var own = env.Text("PROXY_CONFIG") is { Length: > 0 } text ? Parse(env, "PROXY_CONFIG", text, null) : null;
        if (mesh is null || own is null)
            return own ?? mesh;
        var metadata = new Dictionary<string, string>(mesh.Metadata, StringComparer.Ordinal);
        foreach (var (key, value) in own.Metadata)
            metadata[key] = value;
        return new ProxyConfig(
            own.DiscoveryAddress ?? mesh.DiscoveryAddress, own.AdminPort ?? mesh.AdminPort, own.StatsPort ?? mesh.StatsPort, own.Concurrency ?? mesh.Concurrency, metadata);
    }

    private static ProxyConfig? Parse(EnvironmentSettings env, string what, string text, string? under)
    {
        try
        {
            var yaml = new YamlStream();
            yaml.Load(new StringReader(text));
            if (yaml.Documents.Count == 0 || yaml.Documents[0].RootNode is not YamlMappingNode root)
                return null;
            if (under is not null)
            {
                if (Child(root, under) is not YamlMappingNode nested)
                    return null;
                root = nested;
            }
            var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
            if (Child(root, "proxyMetadata") is YamlMappingNode entries)
            {
                foreach (var (key, value) in entries.Children)
                    metadata[key.ToString()] = value.ToString();
            }
            return new ProxyConfig(
                Child(root, "discoveryAddress")?.ToString(), Number(env, what, root, "proxyAdminPort"), Number(env, what, root, "statsPort"), Number(env, what, root, "concurrency"), metadata);
        }
        catch (YamlDotNet.Core.YamlException failure)
        {
            env.Fail($"{what} is not YAML: {failure.Message} (line {failure.Start.Line})");
            return null;
        }
    }

    private static YamlNode? Child(YamlMappingNode node, string name) => node.Children.TryGetValue(new YamlScalarNode(name), out var child) ? child : null;

    private static int? Number(EnvironmentSettings env, string what, YamlMappingNode node, string name)
    {
        if (Child(node, name) is not { } child)
            return null;
        if (int.TryParse(child.ToString(), out var value) && value is >= 0 and <= 65535)
            return value;
        env.Fail($"{what}: {name} is '{child}'; it must be a number");
        return null;
    }
}
