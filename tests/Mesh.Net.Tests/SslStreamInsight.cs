using System.Net.Security;
using System.Reflection;

namespace Mesh.Net.Tests;

/// <summary>Looks into SslStream for the buffer it rents from the shared pool: that it gives it back is a property we rely on and do not control.</summary>
internal static class SslStreamInsight
{
    internal static int BufferBytesOf(TlsTransport transport)
    {
        var ssl = (SslStream)Field(transport, "_ssl");
        var buffer = Field(ssl, "_buffer");
        var inner = Field(buffer, "_buffer");
        var bytes = inner.GetType().GetField("_bytes", BindingFlags.Instance | BindingFlags.NonPublic)
            ?? throw new InvalidOperationException($"{inner.GetType()} has other fields than this test knows");
        return ((byte[]?)bytes.GetValue(inner))?.Length ?? 0;
    }

    private static object Field(object target, string name) =>
        target.GetType().GetField(name, BindingFlags.Instance | BindingFlags.NonPublic)?.GetValue(target)
        ?? throw new InvalidOperationException($"{target.GetType()} has no field {name} any more; find out how to see its buffer");
}
