using System.Net;
using System.Net.Sockets;
using System.Text.Json;

using Mesh.Meshctl.Control;
using Mesh.Meshctl.Topology;
using Mesh.Net;

namespace Mesh.Meshctl.Daemon;

/// <summary>Reads the proxies' admin pages. They listen on the loopback of their own namespace, so the connection is made in there.</summary>
internal static class ProxyPages
{
    private const int AdminPort = 15000;

    public static async Task<List<CertificateStatus>> CertificatesAsync(IEnumerable<ComponentStatus> components, CancellationToken cancel)
    {
        List<CertificateStatus> all = [];
        foreach (var agent in components.Where(c => c.Name.StartsWith("ztunnel-", StringComparison.Ordinal) && c.State == "running"))
        {
            try
            {
                var dump = await GetAsync(NetworkBuilder.PathOf(agent.Where), "/config_dump", cancel);
                all.AddRange(ReadCertificates(agent.Name, dump));
            }
            catch (Exception e) when (e is HttpRequestException or JsonException or TaskCanceledException)
            {
                all.Add(new CertificateStatus(agent.Name, "-", $"its admin page does not answer: {e.Message}", null, null));
            }
        }

        return all;
    }

    public static async Task<string> GetAsync(string networkNamespacePath, string path, CancellationToken cancel)
    {
        using var handler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, token) =>
            {
                using var network = NetworkNamespace.Open(networkNamespacePath);
                var socket = network.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
                await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, AdminPort), token);
                return new NetworkStream(socket, ownsSocket: true);
            },
        };
        using var http = new HttpClient(handler) { Timeout = TimeSpan.FromSeconds(5) };
        return await http.GetStringAsync(new Uri($"http://localhost:{AdminPort}{path}"), cancel);
    }

    public static IEnumerable<CertificateStatus> ReadCertificates(string proxy, string configDump)
    {
        using var dump = JsonDocument.Parse(configDump);
        if (!dump.RootElement.TryGetProperty("certificates", out var certificates) || certificates.ValueKind != JsonValueKind.Array)
            yield break;
        foreach (var certificate in certificates.EnumerateArray())
        {
            var leaf = certificate.TryGetProperty("certChain", out var chain) && chain.ValueKind == JsonValueKind.Array && chain.GetArrayLength() > 0 ? chain[0] : default;
            yield return new CertificateStatus(
                proxy,
                certificate.GetProperty("identity").GetString() ?? "-",
                Text(certificate, "state") ?? "-",
                leaf.ValueKind == JsonValueKind.Object ? Text(leaf, "expirationTime") : null,
                leaf.ValueKind == JsonValueKind.Object ? Text(leaf, "serialNumber") : null);
        }
    }

    private static string? Text(JsonElement element, string name) => element.TryGetProperty(name, out var value) ? value.ToString() : null;
}
