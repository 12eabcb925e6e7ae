namespace Mesh.Kubernetes.Connection;

/// <summary>What kubelet gives every pod: two environment variables and a projected volume.</summary>
public static class InClusterConfiguration
{
    public const string DefaultFolder = "/var/run/secrets/kubernetes.io/serviceaccount";

    public static bool IsAvailable => Environment.GetEnvironmentVariable("KUBERNETES_SERVICE_HOST") is { Length: > 0 };

    public static ClusterConfiguration Load(TimeProvider time, string folder = DefaultFolder)
    {
        var host = Environment.GetEnvironmentVariable("KUBERNETES_SERVICE_HOST");
        var port = Environment.GetEnvironmentVariable("KUBERNETES_SERVICE_PORT");
        if (string.IsNullOrEmpty(host) || string.IsNullOrEmpty(port))
            throw new ClusterConfigurationException("this is not a pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set; name a kubeconfig instead");
        if (host.Contains(':', StringComparison.Ordinal))
            host = $"[{host}]";
        var namespaceFile = Path.Combine(folder, "namespace");
        return new ClusterConfiguration
        {
            Server = new Uri($"https://{host}:{port}"),
            Roots = TrustedRoots.FromFile(Path.Combine(folder, "ca.crt")),
            Credentials = new TokenFile(Path.Combine(folder, "token"), time),
            Namespace = File.Exists(namespaceFile) ? File.ReadAllText(namespaceFile).Trim() : "default",
            Origin = "the pod's service account",
        };
    }
}
