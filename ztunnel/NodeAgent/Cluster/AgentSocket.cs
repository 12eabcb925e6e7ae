using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Serialization;
using Mesh.Kubernetes;
using Mesh.Kubernetes.Objects;
using Mesh.Runtime.Logging;

namespace Mesh.Ztunnel.NodeAgent.Cluster;

/// <summary>What the CNI plugin says of a pod that is about to start.</summary>
internal sealed record AgentRequest
{
    public required string PodNamespace { get; init; }

    public required string PodName { get; init; }

    public required string NetworkNamespace { get; init; }

    public IReadOnlyList<string> Addresses { get; init; } = [];
}

/// <param name="Error">Null: captured, or none of ours.</param>
internal sealed record AgentReply(string? Error);

[JsonSerializable(typeof(AgentRequest))]
[JsonSerializable(typeof(AgentReply))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
internal sealed partial class AgentJson : JsonSerializerContext;

/// <summary>
/// The socket on the node at which the CNI plugin asks: one connection, one line of JSON each way, and the answer comes when the pod is captured or
/// is known not to take part. Only the node's root can reach it.
/// </summary>
internal sealed class AgentSocket(string path, ClusterPods pods, CaptureWaiters waiters, LogSink sink, TimeProvider time) : IDisposable
{
    private const int LongestRequest = 64 * 1024;

    /// <summary>Below the time that container runtimes give a plugin.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly Log _log = sink.For("nodeagent");
    private Socket? _listener;

    /// <exception cref="StartException">The socket cannot be made.</exception>
    public void Start()
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            // A successor takes the name over while its predecessor still answers who has connected.
            var temporary = $"{path}.{Environment.ProcessId}";
            File.Delete(temporary);
            _listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            _listener.Bind(new UnixDomainSocketEndPoint(temporary));
            if (!OperatingSystem.IsWindows())
                File.SetUnixFileMode(temporary, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            _listener.Listen(64);
            File.Move(temporary, path, overwrite: true);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or SocketException)
        {
            throw new StartException(Mesh.Runtime.ExitCodes.CannotCreate, $"the socket {path} for the CNI plugin cannot be made: {failure.Message}; give the agent a writable folder there, or unset ZTUNNEL_AGENT_SOCKET");
        }
        _ = AcceptAsync(_listener);
    }

    public void Dispose() => _listener?.Dispose();

    private async Task AcceptAsync(Socket listener)
    {
        try
        {
            while (true)
                _ = ServeAsync(await listener.AcceptAsync());
        }
        catch (Exception end) when (end is ObjectDisposedException or SocketException)
        {
            // Stopped.
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        using var connection = new NetworkStream(socket, ownsSocket: true);
        using var limit = new CancellationTokenSource(Patience, time);
        try
        {
            var request = JsonSerializer.Deserialize((await ReadLineAsync(connection, limit.Token)).Span, AgentJson.Default.AgentRequest)!;
            var reply = JsonSerializer.SerializeToUtf8Bytes(new AgentReply(await CaptureAsync(request, limit.Token)), AgentJson.Default.AgentReply);
            await connection.WriteAsync(reply, limit.Token);
            await connection.WriteAsync("\n"u8.ToArray(), limit.Token);
        }
        catch (Exception failure) when (failure is IOException or JsonException or OperationCanceledException)
        {
            _log.Warn($"a request of the CNI plugin was not understood or took too long: {failure.Message}");
        }
    }

    private async Task<string?> CaptureAsync(AgentRequest request, CancellationToken cancel)
    {
        var captured = waiters.Expect(request.PodNamespace, request.PodName);
        try
        {
            var addresses = request.Addresses.Select(a => IPAddress.TryParse(a, out var parsed) ? parsed : null).OfType<IPAddress>().ToList();
            if (await pods.AnnounceAsync(new ObjectKey(request.PodNamespace, request.PodName), request.NetworkNamespace, addresses, cancel) is not Announcement.UnderWay)
                return null;
            return await captured.WaitAsync(cancel) is { } reason ? $"pod {request.PodNamespace}/{request.PodName} could not be captured: {reason}" : null;
        }
        catch (KubeException e)
        {
            return $"whether pod {request.PodNamespace}/{request.PodName} takes part is not known: {e.Message}";
        }
        catch (OperationCanceledException)
        {
            return $"pod {request.PodNamespace}/{request.PodName} was not captured within {Patience.TotalSeconds:0} s; look at this node's ztunnel log";
        }
        finally
        {
            waiters.Forget(request.PodNamespace, request.PodName);
        }
    }

    private static async Task<ReadOnlyMemory<byte>> ReadLineAsync(Stream connection, CancellationToken cancel)
    {
        var buffer = new byte[LongestRequest];
        var length = 0;
        while (length < buffer.Length)
        {
            var count = await connection.ReadAsync(buffer.AsMemory(length), cancel);
            if (count == 0)
                throw new IOException("the plugin left in the middle of its request");
            length += count;
            if (buffer[length - 1] == '\n')
                return buffer.AsMemory(0, length - 1);
        }
        throw new IOException($"the request is longer than {LongestRequest} bytes");
    }
}
