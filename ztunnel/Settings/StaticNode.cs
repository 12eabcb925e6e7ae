using System.Globalization;
using System.Net;
using Mesh.Model;
using Mesh.Runtime;
using YamlDotNet.RepresentationModel;

namespace Mesh.Ztunnel.Settings;

/// <summary>One node of the static configuration, with the place in the file for every complaint.</summary>
internal readonly struct StaticNode(YamlNode node, string file)
{
    public string Scalar() => node is YamlScalarNode { Value: { } value } ? value : throw Wrong("a single value is expected");

    public StaticNode? Child(string name) =>
        node is YamlMappingNode map && map.Children.TryGetValue(new YamlScalarNode(name), out var child) && child is not YamlScalarNode { Value: "" or "null" or "~" }
            ? new StaticNode(child, file)
            : null;

    public string Text(string name) => Child(name)?.Scalar() ?? string.Empty;

    public StaticNode RequiredChild(string name) => Child(name) ?? throw Wrong($"'{name}' is missing");

    public string Required(string name) => RequiredChild(name).Scalar();

    public bool Flag(string name) => Choice(name, false, ("true", true), ("false", false));

    public T Choice<T>(string name, T otherwise, params (string Text, T Value)[] choices)
    {
        if (Child(name) is not { } child)
            return otherwise;
        return child.OneOf(name, choices);
    }

    public T RequiredChoice<T>(string name, params (string Text, T Value)[] choices) => RequiredChild(name).OneOf(name, choices);

    public T OneOf<T>(string what, params (string Text, T Value)[] choices)
    {
        foreach (var (text, value) in choices)
        {
            if (text == Scalar())
                return value;
        }
        throw Wrong($"'{what}' is '{Scalar()}'; it must be one of {string.Join(", ", choices.Select(c => c.Text))}");
    }

    public IEnumerable<StaticNode> List(string name) => Child(name) is { } child ? child.Items() : [];

    public IEnumerable<StaticNode> RequiredList(string name) => RequiredChild(name).Items();

    /// <summary>The entries below <paramref name="name"/>, or of this node itself when that is null.</summary>
    public List<KeyValuePair<StaticNode, StaticNode>> Map(string? name)
    {
        var (own, place) = (node, file);
        if (name is not null)
        {
            if (Child(name) is not { } child)
                return [];
            return child.Map(null);
        }
        return own is YamlMappingNode map
            ? [.. map.Children.Select(c => KeyValuePair.Create(new StaticNode(c.Key, place), new StaticNode(c.Value, place)))]
            : throw Wrong("a map is expected");
    }

    public List<StaticNode> Items()
    {
        var place = file;
        return node is YamlSequenceNode sequence ? [.. sequence.Children.Select(c => new StaticNode(c, place))] : throw Wrong("a list is expected");
    }

    public string Tag => node.Tag.IsEmpty ? string.Empty : node.Tag.Value.TrimStart('!');

    public IPAddress Address() => IPAddress.TryParse(Scalar(), out var address) ? address : throw Wrong($"'{Scalar()}' is not an address");

    public NetworkAddress NetworkAddress() =>
        Mesh.Model.NetworkAddress.TryParse(Scalar(), out var address) ? address : throw Wrong($"'{Scalar()}' is not network/ip");

    public NamespacedHostname Hostname() =>
        NamespacedHostname.TryParse(Scalar(), out var name) ? name : throw Wrong($"'{Scalar()}' is not namespace/hostname");

    public uint Number() => uint.TryParse(Scalar(), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : throw Wrong($"'{Scalar()}' is not a whole number");

    public SpiffeId Identity() => SpiffeId.TryParse(Scalar(), out var identity) ? identity : throw Wrong($"'{Scalar()}' is not spiffe://DOMAIN/ns/NAMESPACE/sa/ACCOUNT");

    public IpPrefix Block() => IpPrefix.TryParse(Scalar(), out var block) ? block : throw Wrong($"'{Scalar()}' is not an address block");

    public ushort Port() => ushort.TryParse(Scalar(), NumberStyles.None, CultureInfo.InvariantCulture, out var port) ? port : throw Wrong($"'{Scalar()}' is not a port");

    public ushort? OptionalPort(string name) => Child(name)?.Port();

    public void AllowOnly(params string[] names)
    {
        if (node is not YamlMappingNode map)
            throw Wrong("a map is expected");
        foreach (var key in map.Children.Keys)
        {
            if (key is not YamlScalarNode { Value: { } name } || !names.Contains(name, StringComparer.Ordinal))
                throw new StaticNode(key, file).Wrong($"unknown key '{key}'; known are {string.Join(", ", names)}");
        }
    }

    public StartException Wrong(string what) => new(ExitCodes.Data, $"{file}, line {node.Start.Line}: {what}");
}
