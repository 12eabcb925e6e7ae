namespace Mesh.Waypoint.Http1;

/// <summary>What the application sent is not HTTP/1.1 that has one meaning only; the text says what is wrong with it.</summary>
internal sealed class ProtocolViolationException(string message) : IOException(message);
