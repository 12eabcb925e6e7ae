using System.Text.Json;
using Mesh.Kubernetes.Objects;

namespace Mesh.Kubernetes.Requests;

/// <summary>What a list or a watch is restricted to. Values are written as the API has them; escaping is done here.</summary>
public sealed record Selection
{
    public static readonly Selection All = new();

    public string? Labels { get; init; }
    public string? Fields { get; init; }

    /// <summary>Only metadata is wanted: objects arrive as PartialObjectMetadata.</summary>
    public bool MetadataOnly { get; init; }

    internal void AppendTo(List<string> query)
    {
        if (Labels is { Length: > 0 })
            query.Add("labelSelector=" + Uri.EscapeDataString(Labels));
        if (Fields is { Length: > 0 })
            query.Add("fieldSelector=" + Uri.EscapeDataString(Fields));
    }
}

/// <summary>One page of a list. All pages of a list are one snapshot and carry one resourceVersion.</summary>
/// <param name="Continue">Only this tells whether there is more; a page may be empty and still have it.</param>
public sealed record ListPage(string ResourceVersion, string? Continue, IReadOnlyList<RawObject> Items)
{
    /// <summary>Items are slices of <paramref name="json"/>. A text that is no list is a <see cref="JsonException"/>.</summary>
    public static ListPage Read(ReadOnlyMemory<byte> json)
    {
        var reader = new Utf8JsonReader(json.Span);
        if (!reader.Read() || reader.TokenType is not JsonTokenType.StartObject)
            throw new JsonException("a list is not an object");
        string? version = null, next = null;
        List<RawObject>? items = null;
        while (reader.Read() && reader.TokenType is JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("metadata"u8))
                (version, next) = ReadMetadata(ref reader);
            else if (reader.ValueTextEquals("items"u8))
                items = ReadItems(ref reader, json);
            else
                reader.Skip();
        }
        if (items is null || string.IsNullOrEmpty(version))
            throw new JsonException("a list has no items or no resourceVersion");
        return new ListPage(version, string.IsNullOrEmpty(next) ? null : next, items);
    }

    private static (string?, string?) ReadMetadata(ref Utf8JsonReader reader)
    {
        string? version = null, next = null;
        reader.Read();
        while (reader.Read() && reader.TokenType is JsonTokenType.PropertyName)
        {
            var isVersion = reader.ValueTextEquals("resourceVersion"u8);
            var isNext = reader.ValueTextEquals("continue"u8);
            reader.Read();
            if (isVersion)
                version = reader.GetString();
            else if (isNext)
                next = reader.GetString();
            else
                reader.Skip();
        }
        return (version, next);
    }

    private static List<RawObject> ReadItems(ref Utf8JsonReader reader, ReadOnlyMemory<byte> json)
    {
        var items = new List<RawObject>();
        reader.Read();
        if (reader.TokenType is JsonTokenType.Null)
            return items;
        while (reader.Read() && reader.TokenType is JsonTokenType.StartObject)
        {
            var start = (int)reader.TokenStartIndex;
            reader.Skip();
            items.Add(RawObject.Read(json[start..(int)reader.BytesConsumed]));
        }
        return items;
    }
}
