using System.Security.Cryptography;
using System.Text.Json;
using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Sources.Kubernetes;

/// <summary>An object of the API as a document, without what nobody reads, with a digest of what is left.</summary>
internal static class ApiDocument
{
    /// <summary>A text that is no JSON object is a <see cref="JsonException"/>.</summary>
    public static (YamlMapping Root, byte[] Digest) Read(ReadOnlySpan<byte> json, KeptFields kept)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var reader = new Utf8JsonReader(json);
        if (!reader.Read() || reader.TokenType is not JsonTokenType.StartObject)
            throw new JsonException("not an object");
        var root = (YamlMapping)Node(ref reader, kept, hash);
        return (root, hash.GetHashAndReset());
    }

    private static YamlNode Node(ref Utf8JsonReader reader, KeptFields kept, IncrementalHash hash)
    {
        // The token's kind is part of the digest: "1" and 1 are different documents.
        hash.AppendData([(byte)reader.TokenType]);
        switch (reader.TokenType)
        {
            case JsonTokenType.StartObject:
                return Mapping(ref reader, kept, hash);
            case JsonTokenType.StartArray:
                var items = new List<YamlNode>();
                long weight = 1;
                while (reader.Read() && reader.TokenType is not JsonTokenType.EndArray)
                {
                    items.Add(Node(ref reader, kept, hash));
                    weight += items[^1].Weight;
                }
                hash.AppendData([(byte)JsonTokenType.EndArray]);
                return new YamlSequence(items, 0, weight);
            case JsonTokenType.String:
                hash.AppendData(reader.ValueSpan);
                return new YamlScalar(reader.GetString()!, IsPlain: false, 0);
            case JsonTokenType.Null:
                return new YamlScalar("null", IsPlain: true, 0);
            default:
                hash.AppendData(reader.ValueSpan);
                return new YamlScalar(System.Text.Encoding.UTF8.GetString(reader.ValueSpan), IsPlain: true, 0);
        }
    }

    private static YamlMapping Mapping(ref Utf8JsonReader reader, KeptFields kept, IncrementalHash hash)
    {
        var entries = new List<KeyValuePair<YamlScalar, YamlNode>>();
        long weight = 1;
        while (reader.Read() && reader.TokenType is JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!;
            if (kept.Below(name) is not { } below)
            {
                reader.Skip();
                continue;
            }
            hash.AppendData([(byte)JsonTokenType.PropertyName]);
            hash.AppendData(System.Text.Encoding.UTF8.GetBytes(name));
            reader.Read();
            var value = Node(ref reader, below, hash);
            entries.Add(new(new YamlScalar(name, IsPlain: false, 0), value));
            weight += value.Weight + 1;
        }
        hash.AppendData([(byte)JsonTokenType.EndObject]);
        return new YamlMapping(entries, 0, weight);
    }
}
