using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Mesh.Runtime;

namespace Mesh.Ztunnel.Probe;

/// <summary>
/// The two ends of <c>meshctl check --probe</c>, in the agent's image because every node has it: a server of two ports, and a client to which policy
/// gives one of them. The client's identity opening the one and nothing opening the other proves capture, identity, encryption and policy at once:
/// in plaintext both would be open, or both closed.
/// </summary>
internal static class ProbeProgram
{
    /// <summary>For the client's identity.</summary>
    public const int AllowedPort = 8080;

    /// <summary>For nobody.</summary>
    public const int DeniedPort = 8081;

    /// <summary>Where the kubelet takes a container's last words from.</summary>
    private const string LastWords = "/dev/termination-log";

    private static readonly TimeSpan OneTry = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    private static ReadOnlySpan<byte> Greeting => "mesh-probe\n"u8;

    public static async Task<int> RunAsync(string[] arguments, TimeProvider time)
    {
        switch (arguments)
        {
            case ["serve"]:
                using (var ended = new CancellationTokenSource())
                using (Signals.Listen(_ => ended.Cancel()))
                    await Task.WhenAll(ServeAsync(AllowedPort, ended.Token), ServeAsync(DeniedPort, ended.Token));
                return ExitCodes.Ok;
            case ["dial", var host, var seconds] when IPAddress.TryParse(host, out var server) && int.TryParse(seconds, NumberStyles.None, CultureInfo.InvariantCulture, out var patience):
                var verdict = await DialAsync(server, TimeSpan.FromSeconds(patience), time);
                Console.WriteLine(verdict.Text);
                Leave(verdict.Text);
                return verdict.IsGood ? ExitCodes.Ok : ExitCodes.Failure;
            default:
                Console.Error.WriteLine("ztunnel: usage: ztunnel probe serve | ztunnel probe dial ADDRESS SECONDS");
                return ExitCodes.Usage;
        }
    }

    /// <summary>Certificates and policies arrive while we try; what counts is how it ends.</summary>
    private static async Task<(bool IsGood, string Text)> DialAsync(IPAddress server, TimeSpan patience, TimeProvider time)
    {
        var begun = time.GetTimestamp();
        while (true)
        {
            var (allowed, denied) = (await AnswersAsync(server, AllowedPort, time), await AnswersAsync(server, DeniedPort, time));
            if (allowed && !denied)
                return (true, "ok: the identity was let in, and nothing else");
            if (time.GetElapsedTime(begun) >= patience)
            {
                return (false, (allowed, denied) switch
                {
                    (true, true) => "open: both ports answered, so the policy is not enforced: the connections go past the mesh, or the server's agent has not got the policy",
                    (false, true) => "wrong: the port that is for nobody answered, the one for this identity did not",
                    _ => "closed: nothing came through, not even what policy allows: the identity did not arrive, or the way is cut",
                });
            }
            await Task.Delay(Pause, time);
        }
    }

    /// <summary>Only the greeting is an answer: a captured connection opens before anybody asked the other side.</summary>
    private static async Task<bool> AnswersAsync(IPAddress server, int port, TimeProvider time)
    {
        using var limit = new CancellationTokenSource(OneTry, time);
        using var socket = new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(new IPEndPoint(server, port), limit.Token);
            var buffer = new byte[Greeting.Length];
            for (var count = 0; count < buffer.Length;)
            {
                var more = await socket.ReceiveAsync(buffer.AsMemory(count), limit.Token);
                if (more == 0)
                    return false;
                count += more;
            }
            return Greeting.SequenceEqual(buffer);
        }
        catch (Exception refused) when (refused is SocketException or OperationCanceledException)
        {
            return false;
        }
    }

    private static async Task ServeAsync(int port, CancellationToken ended)
    {
        using var listener = Socket.OSSupportsIPv6 ? new Socket(AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp) { DualMode = true } : new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(Socket.OSSupportsIPv6 ? IPAddress.IPv6Any : IPAddress.Any, port));
        listener.Listen();
        var greeting = Greeting.ToArray();
        try
        {
            while (true)
            {
                using var client = await listener.AcceptAsync(ended);
                await client.SendAsync(greeting, ended);
            }
        }
        catch (OperationCanceledException)
        {
            // Told to stop.
        }
    }

    private static void Leave(string text)
    {
        try
        {
            File.WriteAllText(LastWords, text);
        }
        catch (Exception none) when (none is IOException or UnauthorizedAccessException)
        {
            // Not in a container: it is on standard output.
        }
    }
}
