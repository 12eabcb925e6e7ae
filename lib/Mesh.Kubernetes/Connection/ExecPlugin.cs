using System.Diagnostics;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Mesh.Kubernetes.Connection;

/// <summary>What a kubeconfig says about a credential plugin.</summary>
public sealed record ExecPluginSettings
{
    /// <summary>client.authentication.k8s.io/v1 or v1beta1; the plugin answers in the same version.</summary>
    public required string ApiVersion { get; init; }
    public required string Command { get; init; }
    public IReadOnlyList<string> Arguments { get; init; } = [];
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);
    public string? InstallHint { get; init; }
    public string? WorkingFolder { get; init; }
}

/// <summary>Runs a program that prints an ExecCredential; the answer is kept until it expires or the server says 401.</summary>
public sealed partial class ExecPlugin(ExecPluginSettings settings, TimeProvider time) : Credentials
{
    /// <summary>Before the expiry that the plugin names: the clocks of two machines differ.</summary>
    private static readonly TimeSpan _early = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan _longestRun = TimeSpan.FromSeconds(60);

    private readonly SemaphoreSlim _one = new(1, 1);
    private volatile Issued? _issued;

    public override X509Certificate2? Certificate => _issued?.Certificate;

    public override async ValueTask PrepareAsync(CancellationToken cancellation) => await CurrentAsync(cancellation);

    public override async ValueTask<string?> GetTokenAsync(CancellationToken cancellation) => (await CurrentAsync(cancellation)).Token;

    public override bool Renew()
    {
        _issued = null;
        return true;
    }

    private async ValueTask<Issued> CurrentAsync(CancellationToken cancellation)
    {
        if (_issued is { } kept && kept.Expires - _early > time.GetUtcNow())
            return kept;
        await _one.WaitAsync(cancellation);
        try
        {
            if (_issued is { } other && other.Expires - _early > time.GetUtcNow())
                return other;
            var issued = await RunAsync(cancellation);
            _issued = issued;
            return issued;
        }
        finally
        {
            _one.Release();
        }
    }

    private async Task<Issued> RunAsync(CancellationToken cancellation)
    {
        var start = new ProcessStartInfo(settings.Command)
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            WorkingDirectory = settings.WorkingFolder ?? string.Empty,
        };
        foreach (var argument in settings.Arguments)
            start.ArgumentList.Add(argument);
        foreach (var (name, value) in settings.Environment)
            start.Environment[name] = value;
        // Nobody is there to answer questions.
        start.Environment["KUBERNETES_EXEC_INFO"] = $$$"""{"apiVersion":"{{{settings.ApiVersion}}}","kind":"ExecCredential","spec":{"interactive":false}}""";

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(_longestRun);
        Process process;
        try
        {
            process = Process.Start(start)!;
        }
        catch (Exception e) when (e is System.ComponentModel.Win32Exception or IOException)
        {
            throw new ClusterConfigurationException($"the credential plugin {settings.Command} cannot be started: {e.Message}{(settings.InstallHint is { } hint ? $". {hint}" : "")}", e);
        }
        using (process)
        {
            try
            {
                process.StandardInput.Close();
                var errors = process.StandardError.ReadToEndAsync(limit.Token);
                var output = await process.StandardOutput.ReadToEndAsync(limit.Token);
                await process.WaitForExitAsync(limit.Token);
                if (process.ExitCode != 0)
                    throw new ClusterConfigurationException($"the credential plugin {settings.Command} ended with exit code {process.ExitCode}: {FirstLine(await errors)}");
                return Read(output);
            }
            catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
            {
                process.Kill(entireProcessTree: true);
                throw new ClusterConfigurationException($"the credential plugin {settings.Command} did not end within {_longestRun.TotalSeconds:0} s");
            }
        }
    }

    private Issued Read(string output)
    {
        ExecCredential? credential;
        try
        {
            credential = JsonSerializer.Deserialize(output, ExecJson.Default.ExecCredential);
        }
        catch (JsonException e)
        {
            // Not the text: it may hold half a token.
            throw new ClusterConfigurationException($"the credential plugin {settings.Command} printed no ExecCredential (line {e.LineNumber + 1})", e);
        }
        if (credential?.ApiVersion != settings.ApiVersion || credential.Status is not { } status)
            throw new ClusterConfigurationException($"the credential plugin {settings.Command} printed version \"{credential?.ApiVersion}\", the kubeconfig asks for {settings.ApiVersion}");
        if (status.Token is null && status.CertificateData is null)
            throw new ClusterConfigurationException($"the credential plugin {settings.Command} gave neither a token nor a certificate");
        var certificate = status.CertificateData is { } pem ? X509Certificate2.CreateFromPem(pem, status.KeyData) : null;
        var expires = status.Expires ?? (certificate is null ? DateTimeOffset.MaxValue : new DateTimeOffset(certificate.NotAfter));
        return new Issued(status.Token, certificate, expires);
    }

    private static string FirstLine(string text) => text.AsSpan().Trim().EnumerateLines() is var lines && lines.MoveNext() ? lines.Current.ToString() : string.Empty;

    private sealed record Issued(string? Token, X509Certificate2? Certificate, DateTimeOffset Expires);

    private sealed record ExecCredential
    {
        [JsonPropertyName("apiVersion")]
        public string? ApiVersion { get; init; }

        [JsonPropertyName("status")]
        public ExecStatus? Status { get; init; }
    }

    private sealed record ExecStatus
    {
        [JsonPropertyName("token")]
        public string? Token { get; init; }

        [JsonPropertyName("clientCertificateData")]
        public string? CertificateData { get; init; }

        [JsonPropertyName("clientKeyData")]
        public string? KeyData { get; init; }

        [JsonPropertyName("expirationTimestamp")]
        public DateTimeOffset? Expires { get; init; }
    }

    [JsonSerializable(typeof(ExecCredential))]
    private sealed partial class ExecJson : JsonSerializerContext;
}
