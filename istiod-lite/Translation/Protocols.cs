using Istio.Workload;

namespace Mesh.IstiodLite.Translation;

/// <summary>What a port speaks, from what Kubernetes and Istio let a person write.</summary>
internal static class Protocols
{
    /// <summary>appProtocol wins over the port's name; a few well-known numbers mean server-first TCP.</summary>
    public static AppProtocol OfService(string transport, string name, int port, string? appProtocol)
    {
        if (transport is not "TCP")
            return AppProtocol.Unknown;
        if (!string.IsNullOrEmpty(appProtocol))
        {
            switch (appProtocol)
            {
                case "kubernetes.io/h2c":
                    return AppProtocol.Http2;
                case "kubernetes.io/ws":
                    return AppProtocol.Http11;
                case "kubernetes.io/wss":
                    return AppProtocol.Tls;
            }
            return OfName(appProtocol);
        }
        var prefix = name.StartsWith("grpc-web", StringComparison.OrdinalIgnoreCase) ? "grpc-web" : name.Split('-', 2)[0];
        var named = OfName(prefix);
        return named is AppProtocol.Unknown && port is 25 or 53 or 3306 or 27017 && prefix is not "grpc-web" ? AppProtocol.Tcp : named;
    }

    public static AppProtocol OfName(string name) => name.ToUpperInvariant() switch
    {
        "HTTP" => AppProtocol.Http11,
        "HTTP2" => AppProtocol.Http2,
        "GRPC" => AppProtocol.Grpc,
        "TCP" => AppProtocol.Tcp,
        "TLS" or "HTTPS" => AppProtocol.Tls,
        _ => AppProtocol.Unknown,
    };
}
