using System.Globalization;
using Envoy.Service.Discovery.V3;
using Google.Protobuf;

namespace Mesh.Xds.Server;

/// <summary>A DeltaDiscoveryResponse put together from resources that are encoded already. Immutable; many streams may be sent the same one.</summary>
public sealed class XdsResponse
{
    // Above this pieces are written one by one and nothing is copied together.
    private const int LargestWhole = 64 * 1024;

    private readonly byte[] _head;
    private readonly IReadOnlyList<XdsResource> _resources;
    private readonly bool _withAliases;

    internal XdsResponse(string typeUrl, string nonce, long version, IReadOnlyList<XdsResource> resources, IEnumerable<string> removed, bool withAliases)
    {
        TypeUrl = typeUrl;
        Nonce = nonce;
        _resources = resources;
        _withAliases = withAliases;
        // Fields may come in any order (protobuf encoding specification), so everything but the resources goes first.
        var head = new DeltaDiscoveryResponse { TypeUrl = typeUrl, Nonce = nonce, SystemVersionInfo = version.ToString(CultureInfo.InvariantCulture) };
        head.RemovedResources.AddRange(removed);
        Removed = head.RemovedResources.Count;
        _head = head.ToByteArray();
        Length = _head.Length;
        foreach (var resource in resources)
            Length += resource.Encoded(withAliases).Length;
        if (Length <= LargestWhole)
            Whole = Join();
    }

    public string TypeUrl { get; }

    public string Nonce { get; }

    public int Resources => _resources.Count;

    public int Removed { get; }

    /// <summary>Bytes of the whole message.</summary>
    public int Length { get; }

    /// <summary>The encoded message where it is small; null: take <see cref="Pieces"/>.</summary>
    public byte[]? Whole { get; }

    /// <summary>The encoded message in pieces.</summary>
    public IEnumerable<ReadOnlyMemory<byte>> Pieces()
    {
        yield return _head;
        foreach (var resource in _resources)
            yield return resource.Encoded(_withAliases);
    }

    /// <summary>The message as a client decodes it.</summary>
    public DeltaDiscoveryResponse ToMessage() => DeltaDiscoveryResponse.Parser.ParseFrom(Whole ?? Join());

    private byte[] Join()
    {
        var whole = new byte[Length];
        var at = 0;
        foreach (var piece in Pieces())
        {
            piece.CopyTo(whole.AsMemory(at));
            at += piece.Length;
        }

        return whole;
    }
}
