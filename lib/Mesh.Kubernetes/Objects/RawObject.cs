using System.Text.Json;

namespace Mesh.Kubernetes.Objects;

/// <summary>Names one object of one kind; the namespace of a cluster-scoped one is empty.</summary>
public readonly record struct ObjectKey(string Namespace, string Name)
{
    public override string ToString() => Namespace.Length == 0 ? Name : $"{Namespace}/{Name}";
}

/// <summary>One object as its JSON text, with what a cache must know about it. The text is only valid during the call that hands it over.</summary>
public readonly record struct RawObject(ObjectKey Key, string Uid, string ResourceVersion, bool IsInitialEventsEnd, ReadOnlyMemory<byte> Json)
{
    /// <summary>Reads metadata and skips the rest. A text without metadata is a <see cref="JsonException"/>.</summary>
    public static RawObject Read(ReadOnlyMemory<byte> json)
    {
        var reader = new Utf8JsonReader(json.Span);
        string name = "", ns = "", uid = "", version = "";
        var end = false;
        if (!reader.Read() || reader.TokenType is not JsonTokenType.StartObject)
            throw new JsonException("an object is not an object");
        while (reader.Read() && reader.TokenType is JsonTokenType.PropertyName)
        {
            if (!reader.ValueTextEquals("metadata"u8))
            {
                reader.Skip();
                continue;
            }
            reader.Read();
            if (reader.TokenType is not JsonTokenType.StartObject)
                throw new JsonException("metadata is not an object");
            while (reader.Read() && reader.TokenType is JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("name"u8))
                    name = Text(ref reader);
                else if (reader.ValueTextEquals("namespace"u8))
                    ns = Text(ref reader);
                else if (reader.ValueTextEquals("uid"u8))
                    uid = Text(ref reader);
                else if (reader.ValueTextEquals("resourceVersion"u8))
                    version = Text(ref reader);
                else if (reader.ValueTextEquals("annotations"u8))
                    end = HasInitialEventsEnd(ref reader);
                else
                    reader.Skip();
            }
        }
        return new RawObject(new ObjectKey(ns, name), uid, version, end, json);
    }

    private static string Text(ref Utf8JsonReader reader)
    {
        reader.Read();
        return reader.TokenType is JsonTokenType.Null ? string.Empty : reader.GetString() ?? string.Empty;
    }

    private static bool HasInitialEventsEnd(ref Utf8JsonReader reader)
    {
        reader.Read();
        var end = false;
        if (reader.TokenType is not JsonTokenType.StartObject)
            return false;
        while (reader.Read() && reader.TokenType is JsonTokenType.PropertyName)
        {
            var mark = reader.ValueTextEquals("k8s.io/initial-events-end"u8);
            reader.Read();
            end |= mark && reader.TokenType is JsonTokenType.String && reader.ValueTextEquals("true"u8);
            reader.Skip();
        }
        return end;
    }
}
