using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

[assembly: System.Runtime.Versioning.SupportedOSPlatform("linux")]

namespace Mesh.Cni;

/// <param name="Error">Null: the pod is captured, or does not take part.</param>
/// <param name="IsUnreachable">Nobody answered: what the agent thinks is not known.</param>
internal readonly record struct AgentAnswer(string? Error, bool IsUnreachable);

/// <summary>Asks the agent over its socket on the node: one line of JSON each way.</summary>
internal static class Agent
{
    public const string DefaultSocket = "/var/run/ztunnel/agent.sock";

    /// <summary>The agent itself gives up after 20 s.</summary>
    private const int PatienceMilliseconds = 25_000;

    public static AgentAnswer Ask(string path, JsonObject request)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { ReceiveTimeout = PatienceMilliseconds, SendTimeout = PatienceMilliseconds };
        try
        {
            socket.Connect(new UnixDomainSocketEndPoint(path));
            socket.Send(Encoding.UTF8.GetBytes(request.ToJsonString() + "\n"));
            var reply = new MemoryStream();
            var buffer = new byte[4096];
            int count;
            while ((count = socket.Receive(buffer)) > 0)
                reply.Write(buffer, 0, count);
            return JsonNode.Parse(Encoding.UTF8.GetString(reply.ToArray())) is JsonObject answer
                ? new AgentAnswer((string?)answer["error"], false)
                : new AgentAnswer($"the agent at {path} gave no answer", true);
        }
        catch (Exception e) when (e is SocketException or JsonException or ArgumentException)
        {
            return new AgentAnswer($"the agent at {path} does not answer: {e.Message}", true);
        }
    }
}
