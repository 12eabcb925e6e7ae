using Envoy.Service.Discovery.V3;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace Mesh.Xds.Server;

/// <summary>One resource as it goes on the wire, encoded once for all streams. Immutable.</summary>
public sealed class XdsResource
{
    // Field 2 of DeltaDiscoveryResponse, length-delimited: (2 << 3) | 2.
    private const byte ResourcesTag = 0x12;

    private readonly byte[] _encoded;
    private byte[]? _encodedWithAliases;

    private XdsResource(string name, string version, byte[] encoded)
    {
        Name = name;
        Version = version;
        _encoded = encoded;
    }

    public string Name { get; }

    /// <summary>Equal versions mean equal content: only a difference is sent. Use <see cref="Create(string, string, IMessage, string?)"/> to derive it.</summary>
    public string Version { get; }

    /// <summary>Other names under which a client may ask for it, e.g. <c>network/ip</c>.</summary>
    public IReadOnlyList<string> Aliases { get; init; } = [];

    /// <summary>Names of resources whose subscribers get this one too: the services that a workload belongs to.</summary>
    public IReadOnlyList<string> Parents { get; init; } = [];

    /// <summary>On-demand clients on this node get it unasked.</summary>
    public string? Node { get; init; }

    /// <summary>The owner's word for who may be sent it, for an <see cref="IXdsAudience"/> to understand; null: everybody.</summary>
    public string? Audience { get; init; }

    /// <summary>Bytes on the wire, for statistics.</summary>
    public int Size => _encoded.Length;

    /// <param name="name">xDS name.</param>
    /// <param name="typeUrl">Of <paramref name="body"/>.</param>
    /// <param name="body">Encoded now; may be changed afterwards.</param>
    /// <param name="version">Null: derived from the content, so that the same content has the same version on every replica and after a restart.</param>
    public static XdsResource Create(string name, string typeUrl, IMessage body, string? version = null)
    {
        var content = body.ToByteString();
        version ??= Hash(content.Span);
        var resource = new Resource { Name = name, Version = version, Resource_ = new Any { TypeUrl = typeUrl, Value = content } };
        return new XdsResource(name, version, Encode(resource));
    }

    /// <summary>The same resource for some clients only.</summary>
    public XdsResource For(string? audience) => new(Name, Version, _encoded) { Aliases = Aliases, Parents = Parents, Node = Node, Audience = audience };

    /// <summary>The same resource, findable by other names.</summary>
    public XdsResource With(IReadOnlyList<string> aliases, IReadOnlyList<string> parents, string? node) =>
        new(Name, Version, _encoded) { Aliases = aliases, Parents = parents, Node = node, Audience = Audience };

    internal ReadOnlyMemory<byte> Encoded(bool withAliases) => withAliases && Aliases.Count > 0 ? _encodedWithAliases ??= EncodeWithAliases() : _encoded;

    private byte[] EncodeWithAliases()
    {
        var input = new CodedInputStream(_encoded);
        input.ReadTag();
        var resource = Resource.Parser.ParseFrom(input.ReadBytes());
        resource.Aliases.AddRange(Aliases);
        return Encode(resource);
    }

    private static byte[] Encode(Resource resource)
    {
        var length = resource.CalculateSize();
        var encoded = new byte[1 + CodedOutputStream.ComputeLengthSize(length) + length];
        using var output = new CodedOutputStream(encoded);
        output.WriteRawTag(ResourcesTag);
        output.WriteMessage(resource);
        output.CheckNoSpaceLeft();
        return encoded;
    }

    private static string Hash(ReadOnlySpan<byte> content) =>
        Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(content).AsSpan(0, 8));
}
