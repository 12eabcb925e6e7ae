using System.Text.Json;

namespace Mesh.Runtime.Decisions;

/// <summary>Properties that are left out where there is nothing to say.</summary>
public static class DecisionJson
{
    public static void Text(this Utf8JsonWriter json, string name, string? value)
    {
        if (!string.IsNullOrEmpty(value))
            json.WriteString(name, value);
    }

    /// <summary>A duration in milliseconds, to the microsecond.</summary>
    public static void Milliseconds(this Utf8JsonWriter json, string name, TimeSpan? value)
    {
        if (value is { } duration)
            json.WriteNumber(name, Math.Round(duration.TotalMilliseconds, 3));
    }

    public static void Texts(this Utf8JsonWriter json, string name, IReadOnlyCollection<string>? values)
    {
        if (values is not { Count: > 0 })
            return;
        json.WriteStartArray(name);
        foreach (var value in values)
            json.WriteStringValue(value);
        json.WriteEndArray();
    }
}
