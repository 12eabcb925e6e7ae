using System.Security.Cryptography.X509Certificates;

using CommandLine;

using Mesh.Meshctl.Local;
using Mesh.Meshctl.Registration;
using Mesh.Runtime;

namespace Mesh.Meshctl.Commands;

[Verb("register", HelpText = "Registers this machine or process with a control plane and keeps it registered while its check (the program after --) succeeds.")]
internal sealed class RegisterOptions
{
    [Option("server", Required = true, HelpText = "The control plane, as https://host:15012.")]
    public string Server { get; set; } = "";

    [Option("ca", Required = true, HelpText = "File with the root certificates that the control plane's certificate is checked against.")]
    public string Ca { get; set; } = "";

    [Option("token-file", Required = true, HelpText = "File with a token for the group's service account; read again for each call.")]
    public string TokenFile { get; set; } = "";

    [Option("group", Required = true, HelpText = "The WorkloadGroup, as namespace/name.")]
    public string Group { get; set; } = "";

    [Option("instance", HelpText = "Name of this instance; default: the host's name.")]
    public string? Instance { get; set; }

    [Option("address", HelpText = "IP address under which the mesh reaches it; default: where the call comes from.")]
    public string? Address { get; set; }

    [Option("label", HelpText = "A label as key=value; several are written one after another.")]
    public IEnumerable<string> Labels { get; set; } = [];

    [Option("ttl", Default = "30s", HelpText = "A heartbeat must come within each such time; three are sent in it.")]
    public string Ttl { get; set; } = "";
}

internal static class RegisterCommand
{
    public static async Task<int> RunAsync(RegisterOptions options, string[] program, TimeProvider time)
    {
        if (!Uri.TryCreate(options.Server, UriKind.Absolute, out var server) || server.Scheme != Uri.UriSchemeHttps)
            throw new MeshctlException(ExitCodes.Usage, $"--server is \"{options.Server}\"; write it as https://host:15012.");
        if (options.Group.Split('/') is not [{ Length: > 0 } ns, { Length: > 0 } group])
            throw new MeshctlException(ExitCodes.Usage, $"--group is \"{options.Group}\"; write it as namespace/name.");
        if (!DurationText.TryParse(options.Ttl, out var ttl) || ttl < TimeSpan.FromSeconds(1))
            throw new MeshctlException(ExitCodes.Usage, $"--ttl is \"{options.Ttl}\"; write a duration of at least a second, such as 30s.");
        var labels = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var label in options.Labels)
        {
            var equals = label.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0)
                throw new MeshctlException(ExitCodes.Usage, $"--label is \"{label}\"; write it as key=value.");
            labels[label[..equals]] = label[(equals + 1)..];
        }

        using var stop = new CancellationTokenSource();
        using var signals = Signals.Listen(_ => stop.Cancel());
        using var http = new HttpClient(Handler(options.Ca)) { BaseAddress = server, Timeout = TimeSpan.FromSeconds(10) };
        var instance = options.Instance ?? Environment.MachineName.ToLowerInvariant();
        var registrant = new Registrant(http, $"/v1/namespaces/{ns}/groups/{group}/instances/{instance}", new RegistrationBody(options.Address, labels, options.Ttl),
            () => Token(options.TokenFile), cancel => ExecCheck.RunAsync(program, ttl, cancel), ttl, time, Console.WriteLine);
        await registrant.RunAsync(stop.Token);
        return ExitCodes.Ok;
    }

    private static SocketsHttpHandler Handler(string ca)
    {
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        try
        {
            policy.CustomTrustStore.ImportFromPemFile(ca);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or System.Security.Cryptography.CryptographicException)
        {
            throw new MeshctlException(ExitCodes.Usage, $"the root certificates in {ca} cannot be read: {e.Message}");
        }

        return new SocketsHttpHandler { SslOptions = { CertificateChainPolicy = policy }, UseProxy = false, AllowAutoRedirect = false };
    }

    private static string Token(string file)
    {
        try
        {
            return File.ReadAllText(file).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new MeshctlException(ExitCodes.Usage, $"the token in {file} cannot be read: {e.Message}");
        }
    }
}
