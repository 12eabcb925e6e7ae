using System.Net.Sockets;
using System.Text.Json;

using Mesh.Meshctl.Local;
using Mesh.Runtime;

namespace Mesh.Meshctl.Control;

/// <summary>Answers one control connection: <paramref name="lease"/> ends when the caller is gone.</summary>
internal delegate Task<ControlReply> ControlHandler(ControlRequest request, ControlConnection connection);

/// <summary>What a handler may want to know of its caller beyond the request.</summary>
internal sealed class ControlConnection
{
    /// <summary>Runs after the reply was sent and the caller has gone; the argument says whether it said "release" before.</summary>
    public Func<bool, Task>? WhenGone { get; set; }
}

/// <summary>Accepts control connections on the unix socket of a mesh. Only the owner can open it (mode 0600 in a directory with mode 0700).</summary>
internal sealed class ControlServer : IAsyncDisposable
{
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly ControlHandler _handler;
    private readonly Action<string> _log;
    private readonly CancellationTokenSource _stop = new();
    private Task _accepting = Task.CompletedTask;

    public ControlServer(ControlHandler handler, Action<string> log)
    {
        _handler = handler;
        _log = log;
    }

    public void Start(string path)
    {
        File.Delete(path);
        _listener.Bind(new UnixDomainSocketEndPoint(path));
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        _listener.Listen(64);
        _accepting = AcceptAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        await _accepting;
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            Socket socket;
            try
            {
                socket = await _listener.AcceptAsync(_stop.Token);
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return;
            }

            _ = ServeAsync(socket);
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        var connection = new ControlConnection();
        var released = false;
        await using var lease = new ControlLease(socket);
        try
        {
            var line = await lease.ReadLineAsync(_stop.Token);
            if (line is null)
                return;
            var reply = await AnswerAsync(line, connection);
            await lease.WriteLineAsync(JsonSerializer.Serialize(reply, ControlJson.Default.ControlReply), _stop.Token);
            while (connection.WhenGone is not null && await lease.ReadLineAsync(_stop.Token) is { } more)
                released |= more == "release";
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException)
        {
            // The caller went away; what its lease held is given up below.
        }
        finally
        {
            if (connection.WhenGone is { } gone && !_stop.IsCancellationRequested)
                await gone(released);
        }
    }

    private async Task<ControlReply> AnswerAsync(string line, ControlConnection connection)
    {
        try
        {
            return JsonSerializer.Deserialize(line, ControlJson.Default.ControlRequest) is { } request
                ? await _handler(request, connection)
                : new ErrorReply(ExitCodes.Data, "an empty request");
        }
        catch (MeshctlException e)
        {
            return new ErrorReply(e.ExitCode, e.Message);
        }
        catch (JsonException e)
        {
            return new ErrorReply(ExitCodes.Data, $"the request is not understood ({e.Message}): meshctl and its daemon are of different versions; run 'meshctl down' and 'meshctl up'.");
        }
        catch (Exception e) when (!_stop.IsCancellationRequested)
        {
            _log($"fault while answering: {e}");
            return new ErrorReply(ExitCodes.Failure, $"the daemon failed: {e.Message} (its log has the details).");
        }
    }
}
