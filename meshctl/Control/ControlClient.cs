using System.Net.Sockets;
using System.Text;
using System.Text.Json;

using Mesh.Meshctl.Local;
using Mesh.Runtime;

namespace Mesh.Meshctl.Control;

/// <summary>One request to the daemon of a mesh.</summary>
internal static class ControlClient
{
    public static async Task<T> AskAsync<T>(StateDirectory state, ControlRequest request, CancellationToken cancel = default)
        where T : ControlReply
    {
        var (reply, lease) = await OpenAsync<T>(state, request, cancel);
        await lease.DisposeAsync();
        return reply;
    }

    /// <summary>Asks and keeps the connection: what was made lives as long as the lease.</summary>
    public static async Task<(T Reply, ControlLease Lease)> OpenAsync<T>(StateDirectory state, ControlRequest request, CancellationToken cancel = default)
        where T : ControlReply
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(state.ControlSocket), cancel);
        }
        catch (SocketException)
        {
            socket.Dispose();
            throw new MeshctlException(ExitCodes.Unavailable, $"the mesh '{state.Name}' is not up: start it with 'meshctl up{(state.Name == "default" ? string.Empty : $" --name {state.Name}")}'{(request is StatusRequest ? "; for the mesh in a cluster add --cluster" : string.Empty)}.");
        }

        var lease = new ControlLease(socket);
        try
        {
            await lease.WriteLineAsync(JsonSerializer.Serialize(request, ControlJson.Default.ControlRequest), cancel);
            var line = await lease.ReadLineAsync(cancel)
                ?? throw new MeshctlException(ExitCodes.InputOutput, $"the mesh '{state.Name}' ended before it answered: its log is {state.DaemonLog}.");
            return JsonSerializer.Deserialize(line, ControlJson.Default.ControlReply) switch
            {
                T reply => (reply, lease),
                ErrorReply error => throw new MeshctlException(error.ExitCode, error.Message),
                var other => throw new InvalidOperationException($"the daemon answered {other?.GetType().Name} to {request.GetType().Name}"),
            };
        }
        catch
        {
            await lease.DisposeAsync();
            throw;
        }
    }
}

/// <summary>An open control connection; the daemon notices its end, however this process ends.</summary>
internal sealed class ControlLease : IAsyncDisposable
{
    private readonly NetworkStream _stream;
    private readonly StreamReader _reader;

    public ControlLease(Socket socket)
    {
        _stream = new NetworkStream(socket, ownsSocket: true);
        _reader = new StreamReader(_stream, Encoding.UTF8);
    }

    public async Task WriteLineAsync(string line, CancellationToken cancel)
    {
        await _stream.WriteAsync(Encoding.UTF8.GetBytes(line + "\n"), cancel);
    }

    public async Task<string?> ReadLineAsync(CancellationToken cancel)
    {
        try
        {
            return await _reader.ReadLineAsync(cancel);
        }
        catch (IOException)
        {
            return null;
        }
    }

    public async ValueTask DisposeAsync()
    {
        _reader.Dispose();
        await _stream.DisposeAsync();
    }
}
