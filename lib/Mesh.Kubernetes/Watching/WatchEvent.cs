using System.Text.Json;
using Mesh.Kubernetes.Objects;

namespace Mesh.Kubernetes.Watching;

public enum WatchEventKind
{
    Added,
    Modified,
    /// <summary>Gone, or no longer selected. Carries the resourceVersion of the deletion.</summary>
    Deleted,
    /// <summary>No object: only how far the stream has come.</summary>
    Bookmark,
    /// <summary>The object is a Status; the stream ends after it.</summary>
    Error,
}

/// <summary>One line of a watch. The object's text is only valid until the next event is asked for.</summary>
public readonly record struct WatchEvent(WatchEventKind Kind, RawObject Object)
{
    /// <summary>A line that is no event is a <see cref="JsonException"/>.</summary>
    public static WatchEvent Read(ReadOnlyMemory<byte> line)
    {
        var reader = new Utf8JsonReader(line.Span);
        WatchEventKind? kind = null;
        ReadOnlyMemory<byte>? body = null;
        if (!reader.Read() || reader.TokenType is not JsonTokenType.StartObject)
            throw new JsonException("an event is not an object");
        while (reader.Read() && reader.TokenType is JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("type"u8))
            {
                reader.Read();
                kind = reader.GetString() switch
                {
                    "ADDED" => WatchEventKind.Added,
                    "MODIFIED" => WatchEventKind.Modified,
                    "DELETED" => WatchEventKind.Deleted,
                    "BOOKMARK" => WatchEventKind.Bookmark,
                    "ERROR" => WatchEventKind.Error,
                    var other => throw new JsonException($"unknown event type {other}"),
                };
            }
            else if (reader.ValueTextEquals("object"u8))
            {
                reader.Read();
                var start = (int)reader.TokenStartIndex;
                reader.Skip();
                body = line[start..(int)reader.BytesConsumed];
            }
            else
            {
                reader.Skip();
            }
        }
        if (kind is not { } known || body is not { } json)
            throw new JsonException("an event has no type or no object");
        var item = known is WatchEventKind.Error ? new RawObject(default, "", "", false, json) : RawObject.Read(json);
        if (known is WatchEventKind.Added or WatchEventKind.Modified or WatchEventKind.Deleted && (item.Key.Name.Length == 0 || item.ResourceVersion.Length == 0))
            throw new JsonException("the object of an event has no name or no resourceVersion");
        return new WatchEvent(known, item);
    }
}
