namespace Mesh.Xds.Wds;

/// <summary>A resource that cannot be taken; the message is the reason in the NACK. Never leaves the handlers.</summary>
public sealed class WdsRejectedException(string reason) : Exception(reason);
