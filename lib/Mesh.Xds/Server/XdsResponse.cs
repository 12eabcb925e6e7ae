using Envoy.Service.Discovery.V3;
using Google.Protobuf;

namespace Mesh.Xds.Server;

/// <summary>A DeltaDiscoveryResponse put together from resources that are encoded already; nothing of them is copied.</summary>
public sealed class XdsResponse
{
    private readonly byte[] _head;
    private readonly IReadOnlyList<XdsResource> _resources;
    private readonly bool _withAliases;

    internal XdsResponse(string typeUrl, string nonce, string version, IReadOnlyList<XdsResource> resources, IEnumerable<string> removed, bool withAliases)
    {
        TypeUrl = typeUrl;
        Nonce = nonce;
        _resources = resources;
        _withAliases = withAliases;
        // Fields may come in any order (protobuf encoding specification), so everything but the resources goes first.
        var head = new DeltaDiscoveryResponse { TypeUrl = typeUrl, Nonce = nonce, SystemVersionInfo = version };
        head.RemovedResources.AddRange(removed);
        Removed = head.RemovedResources.Count;
        _head = head.ToByteArray();
        Length = _head.Length;
        foreach (var resource in resources)
            Length += resource.Encoded(withAliases).Length;
    }

    public string TypeUrl { get; }

    public string Nonce { get; }

    public int Resources => _resources.Count;

    public int Removed { get; }

    /// <summary>Bytes of the whole message.</summary>
    public int Length { get; }

    /// <summary>The encoded message in pieces.</summary>
    public IEnumerable<ReadOnlyMemory<byte>> Pieces()
    {
        yield return _head;
        foreach (var resource in _resources)
            yield return resource.Encoded(_withAliases);
    }

    /// <summary>The message as a client decodes it.</summary>
    public DeltaDiscoveryResponse ToMessage()
    {
        using var bytes = new MemoryStream(Length);
        foreach (var piece in Pieces())
            bytes.Write(piece.Span);
        return DeltaDiscoveryResponse.Parser.ParseFrom(bytes.GetBuffer().AsSpan(0, (int)bytes.Length));
    }
}
