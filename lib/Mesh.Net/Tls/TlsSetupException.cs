namespace Mesh.Net.Tls;

/// <summary>OpenSSL refuses what we configure it with: a certificate or key it cannot read, or it is out of memory.</summary>
internal sealed class TlsSetupException(string what) : Exception($"{what}: {TlsErrors.TakeQueue().Text}");
