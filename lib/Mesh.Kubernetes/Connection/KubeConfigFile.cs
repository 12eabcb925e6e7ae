using System.Text;
using YamlDotNet.Core;

namespace Mesh.Kubernetes.Connection;

/// <summary>kubeconfig: token, token file, client certificate or credential plugin. Relative paths are relative to the file, as kubectl has it.</summary>
public static class KubeConfigFile
{
    /// <summary>KUBECONFIG (its first existing file), else ~/.kube/config; null: there is none.</summary>
    public static string? DefaultPath()
    {
        var listed = Environment.GetEnvironmentVariable("KUBECONFIG");
        if (!string.IsNullOrEmpty(listed))
            return listed.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries).FirstOrDefault(File.Exists);
        var home = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".kube", "config");
        return File.Exists(home) ? home : null;
    }

    /// <param name="context">Null: current-context.</param>
    public static ClusterConfiguration Load(string path, string? context, TimeProvider time)
    {
        string text;
        try
        {
            text = File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ClusterConfigurationException($"the kubeconfig {path} cannot be read: {e.Message}", e);
        }
        return Parse(text, path, context, time);
    }

    internal static ClusterConfiguration Parse(string text, string path, string? context, TimeProvider time)
    {
        object? root;
        try
        {
            root = KubeConfigYaml.Read(text);
        }
        catch (YamlException e)
        {
            throw new ClusterConfigurationException($"{path}:{e.Start.Line}: not a kubeconfig: {e.Message}", e);
        }

        var name = context ?? root.Text("current-context") ?? throw new ClusterConfigurationException($"{path} has no current-context; choose one with kubectl config use-context, or name one");
        var chosen = root.Named("contexts", name).At("context") ?? throw new ClusterConfigurationException($"{path} has no context \"{name}\"");
        var cluster = root.Named("clusters", chosen.Text("cluster")).At("cluster") ?? throw new ClusterConfigurationException($"{path} has no cluster \"{chosen.Text("cluster")}\", which context \"{name}\" names");
        var user = root.Named("users", chosen.Text("user")).At("user");
        if (!Uri.TryCreate(cluster.Text("server"), UriKind.Absolute, out var server))
            throw new ClusterConfigurationException($"{path}: the cluster of context \"{name}\" has no usable server address");

        var files = new Folder(path);
        return new ClusterConfiguration
        {
            Server = server,
            Roots = cluster.Text("certificate-authority-data") is { } data ? TrustedRoots.FromPem(Decode(data, path, "certificate-authority-data"), path)
                : cluster.Text("certificate-authority") is { } file ? TrustedRoots.FromFile(files.Resolve(file))
                : null,
            TlsServerName = cluster.Text("tls-server-name"),
            SkipVerification = cluster.Text("insecure-skip-tls-verify") is "true",
            Proxy = cluster.Text("proxy-url") is { } proxy ? new Uri(proxy) : null,
            Credentials = ReadUser(user, path, files, time),
            Namespace = chosen.Text("namespace") ?? "default",
            Origin = $"{path}, context {name}",
        };
    }

    private static Credentials ReadUser(object? user, string path, Folder files, TimeProvider time)
    {
        var certificate = user.Text("client-certificate-data") is { } data
            ? ClientCertificate.FromPem(Decode(data, path, "client-certificate-data"), Decode(user.Text("client-key-data") ?? "", path, "client-key-data"))
            : user.Text("client-certificate") is { } file
                ? ClientCertificate.FromFiles(files.Resolve(file), files.Resolve(user.Text("client-key") ?? throw new ClusterConfigurationException($"{path}: client-certificate without client-key")))
                : null;
        Credentials? token = user.Text("tokenFile") is { } tokenFile ? new TokenFile(files.Resolve(tokenFile), time)
            : user.Text("token") is { } literal ? new StaticToken(literal)
            : user.At("exec") is { } exec ? new ExecPlugin(ReadExec(exec, path, files), time)
            : null;
        if (user.At("auth-provider") is not null)
            throw new ClusterConfigurationException($"{path}: auth-provider is gone from Kubernetes; use exec");
        return (certificate, token) switch
        {
            (null, null) => Credentials.None,
            (null, { } t) => t,
            ({ } c, null) => c,
            ({ } c, { } t) => new Both(c, t),
        };
    }

    private static ExecPluginSettings ReadExec(object exec, string path, Folder files)
    {
        var command = exec.Text("command") ?? throw new ClusterConfigurationException($"{path}: exec without command");
        var version = exec.Text("apiVersion");
        if (version is not ("client.authentication.k8s.io/v1" or "client.authentication.k8s.io/v1beta1"))
            throw new ClusterConfigurationException($"{path}: exec.apiVersion is \"{version}\"; v1 and v1beta1 of client.authentication.k8s.io are known");
        return new ExecPluginSettings
        {
            ApiVersion = version,
            // A bare name is looked up in PATH, anything with a slash belongs to the file's folder.
            Command = command.Contains('/', StringComparison.Ordinal) ? files.Resolve(command) : command,
            Arguments = [.. exec.Items("args").OfType<string>()],
            Environment = exec.Items("env").ToDictionary(e => e.Text("name") ?? "", e => e.Text("value") ?? "", StringComparer.Ordinal),
            InstallHint = exec.Text("installHint"),
            WorkingFolder = files.Path,
        };
    }

    private static string Decode(string base64, string path, string field)
    {
        try
        {
            return Encoding.UTF8.GetString(Convert.FromBase64String(base64));
        }
        catch (FormatException e)
        {
            throw new ClusterConfigurationException($"{path}: {field} is not base64", e);
        }
    }

    private sealed class Folder(string file)
    {
        public string Path { get; } = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(file))!;

        public string Resolve(string path) => System.IO.Path.GetFullPath(path, Path);
    }

    /// <summary>A certificate for the handshake and a token for the header.</summary>
    private sealed class Both(Credentials certificate, Credentials token) : Credentials
    {
        public override System.Security.Cryptography.X509Certificates.X509Certificate2? Certificate => certificate.Certificate;

        public override ValueTask PrepareAsync(CancellationToken cancellation) => token.PrepareAsync(cancellation);

        public override ValueTask<string?> GetTokenAsync(CancellationToken cancellation) => token.GetTokenAsync(cancellation);

        public override bool Renew() => token.Renew();
    }
}
