using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Mesh.Kubernetes.Connection;

/// <summary>As much YAML as a kubeconfig needs: mappings, sequences and texts, as dictionaries, lists and strings.</summary>
internal static class KubeConfigYaml
{
    private const int MostDepth = 32;

    public static object? Read(string text)
    {
        var parser = new Parser(new StringReader(text));
        parser.Consume<StreamStart>();
        if (parser.TryConsume<StreamEnd>(out _))
            return null;
        parser.Consume<DocumentStart>();
        return Node(parser, 0);
    }

    private static object? Node(Parser parser, int depth)
    {
        if (depth > MostDepth)
            throw new YamlException("nested too deep");
        if (parser.TryConsume<Scalar>(out var scalar))
            return scalar.IsPlainImplicit && scalar.Value is "" or "null" or "~" ? null : scalar.Value;
        if (parser.TryConsume<SequenceStart>(out _))
        {
            var list = new List<object?>();
            while (!parser.TryConsume<SequenceEnd>(out _))
                list.Add(Node(parser, depth + 1));
            return list;
        }
        if (parser.TryConsume<MappingStart>(out _))
        {
            var map = new Dictionary<string, object?>(StringComparer.Ordinal);
            while (!parser.TryConsume<MappingEnd>(out _))
                map[parser.Consume<Scalar>().Value] = Node(parser, depth + 1);
            return map;
        }
        throw new YamlException($"a kubeconfig has no use for {parser.Current?.GetType().Name}");
    }
}

/// <summary>Reading what <see cref="KubeConfigYaml"/> gives.</summary>
internal static class KubeConfigNodes
{
    public static object? At(this object? node, string key) => node is Dictionary<string, object?> map ? map.GetValueOrDefault(key) : null;

    public static string? Text(this object? node, string key) => node.At(key) as string;

    public static IEnumerable<object?> Items(this object? node, string key) => node.At(key) as List<object?> ?? [];

    /// <summary>Of a list of {name, ...}, the one that is called so.</summary>
    public static object? Named(this object? node, string list, string? name) => node.Items(list).FirstOrDefault(i => i.Text("name") == name);
}
