namespace Mesh.Http2;

/// <summary>
/// One field line. <paramref name="Name"/> is lower case. Octets and chars map one to one (Latin-1), so any value survives a round trip.
/// <paramref name="Sensitive"/> fields are never put into a compression table, here or at any later hop (RFC 7541, 7.1.3).
/// </summary>
public readonly record struct HeaderField(string Name, string Value, bool Sensitive = false)
{
    /// <summary>What the field counts in table and list limits (RFC 7541, 4.1).</summary>
    internal int Size => Name.Length + Value.Length + 32;
}
