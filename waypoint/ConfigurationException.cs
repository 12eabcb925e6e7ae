namespace Mesh.Waypoint;

/// <summary>A resource of the control plane that cannot be served. The text goes back in the NACK; the last good version stays.</summary>
internal sealed class ConfigurationException(string message) : Exception(message);
