using System.Text.Json;

namespace Mesh.Runtime.Decisions;

/// <summary>Why one connection or request went where it went and how it ended. Immutable once it is in the ring; text is made only when somebody asks.</summary>
public interface IDecision
{
    const string Open = "open";

    /// <summary>A value of the closed set of endings, as logs and metrics spell it; <see cref="Open"/> while it lives.</summary>
    string Ending { get; }

    /// <summary>32 hex digits that every hop of one connection shares; null where it ended before it had one.</summary>
    string? TraceId { get; }

    /// <summary>Whether an address, name or identity of the client contains the text.</summary>
    bool IsFrom(string text);

    /// <summary>Whether an address, name or identity of the destination contains the text.</summary>
    bool IsTo(string text);

    /// <summary>Writes the properties of one JSON object that is open already; the names are those of docs/decisions.md.</summary>
    void Write(Utf8JsonWriter json);
}
