using System.Text.Json;
using System.Text.Json.Serialization;
using Mesh.Kubernetes.Connection;
using Mesh.Runtime.Logging;

namespace Mesh.Ztunnel.NodeAgent.Cni;

/// <summary>How the CNI plugin reaches the API server by itself. For the node's root alone.</summary>
internal sealed record PluginAccessEntry
{
    public required Uri Server { get; init; }

    /// <summary>PEM.</summary>
    public required string Roots { get; init; }

    public required string Token { get; init; }
}

[JsonSerializable(typeof(PluginAccessEntry))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
internal sealed partial class PluginAccessJson : JsonSerializerContext;

/// <summary>
/// A file on the node by which the plugin asks for itself whether a pod takes part while the agent cannot be asked: what is none of the mesh's starts, also
/// where the agent does not. It holds the agent's own token, kept as fresh as the kubelet keeps it (istio-cni leaves a kubeconfig for the same purpose).
/// </summary>
internal sealed class PluginAccess(string path, ClusterConfiguration cluster, LogSink sink, TimeProvider time) : IAsyncDisposable
{
    /// <summary>As often as the token's file is read.</summary>
    private static readonly TimeSpan Period = TimeSpan.FromMinutes(1);

    private const UnixFileMode RootOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly Log _log = sink.For("cni");
    private readonly CancellationTokenSource _stop = new();
    private Task _keeping = Task.CompletedTask;
    private string? _written;

    /// <param name="folder">That the agent and the node share.</param>
    public static string PathIn(string folder) => Path.Combine(folder, "cni-access.json");

    /// <summary>The last one may be half written.</summary>
    public static List<string> Files(string path) => [path, Unfinished(path)];

    /// <summary>There is no plugin that it would be for.</summary>
    public static void Forget(string folder)
    {
        if (Directory.Exists(folder))
            Files(PathIn(folder)).ForEach(File.Delete);
    }

    public void Start() => _keeping = KeepAsync();

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _keeping;
        _stop.Dispose();
    }

    private static string Unfinished(string path) => path + ".new";

    private async Task KeepAsync()
    {
        try
        {
            while (true)
            {
                await WriteAsync();
                await Task.Delay(Period, time, _stop.Token);
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The file stays: it is for when we are not there.
        }
    }

    /// <summary>Never readable for others, not even for a moment.</summary>
    private static FileStream Create(string path)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = RootOnly;
        return new FileStream(path, options);
    }

    private async Task WriteAsync()
    {
        try
        {
            if (await cluster.Credentials.GetTokenAsync(_stop.Token) is not { } token || cluster.Roots is not { } roots)
                return;
            var text = JsonSerializer.Serialize(new PluginAccessEntry { Server = cluster.Server, Roots = roots.Current.ExportCertificatePems(), Token = token }, PluginAccessJson.Default.PluginAccessEntry);
            if (text == _written)
                return;
            var temporary = Unfinished(path);
            File.Delete(temporary);
            await using (var file = new StreamWriter(Create(temporary)))
                await file.WriteAsync(text.AsMemory(), _stop.Token);
            File.Move(temporary, path, overwrite: true);
            _written = text;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or ClusterConfigurationException)
        {
            _log.Warn($"{path} cannot be written ({failure.Message}): while this agent is away, pods outside the mesh do not start on this node either");
        }
    }
}
