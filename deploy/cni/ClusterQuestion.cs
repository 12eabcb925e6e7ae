using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using System.Text.Json.Nodes;
using Mesh.Ztunnel.NodeAgent.Cluster;

namespace Mesh.Cni;

/// <summary>
/// Whether a pod takes part at all, asked of the API server with what the agent left on the node: only where the agent itself does not answer. Nothing
/// but a clear no lets a pod start without it.
/// </summary>
internal static class ClusterQuestion
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <param name="path">The agent's file; see PluginAccess.</param>
    /// <returns>True only where the pod has not asked to be in the mesh.</returns>
    public static async Task<bool> IsOutsideAsync(string path, string ns, string name)
    {
        try
        {
            if (JsonNode.Parse(await File.ReadAllTextAsync(path)) is not JsonObject access || (string?)access["server"] is not { } server || (string?)access["roots"] is not { } authorities || (string?)access["token"] is not { } token)
                return false;
            var roots = new X509Certificate2Collection();
            roots.ImportFromPem(authorities);
            using var handler = new SocketsHttpHandler { UseProxy = false };
            handler.SslOptions.RemoteCertificateValidationCallback = (_, certificate, _, errors) => IsTheServer(certificate, errors, roots);
            using var http = new HttpClient(handler) { BaseAddress = new Uri(server), Timeout = Patience };
            http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
            var pod = await LabelAsync(http, $"/api/v1/namespaces/{Uri.EscapeDataString(ns)}/pods/{Uri.EscapeDataString(name)}");
            var home = await LabelAsync(http, $"/api/v1/namespaces/{Uri.EscapeDataString(ns)}");
            return !OptIn.IsAsked(pod, home);
        }
        catch (Exception unknown) when (unknown is IOException or UnauthorizedAccessException or JsonException or HttpRequestException or OperationCanceledException or UriFormatException or System.Security.Cryptography.CryptographicException or InvalidOperationException)
        {
            return false;
        }
    }

    private static async Task<string?> LabelAsync(HttpClient http, string path)
    {
        using var answer = await http.GetAsync(new Uri(path, UriKind.Relative));
        if (answer.StatusCode != HttpStatusCode.OK)
            throw new HttpRequestException($"{path}: {answer.StatusCode}");
        return (string?)JsonNode.Parse(await answer.Content.ReadAsStringAsync())?["metadata"]?["labels"]?[OptIn.Label];
    }

    private static bool IsTheServer(X509Certificate? certificate, SslPolicyErrors errors, X509Certificate2Collection roots)
    {
        if (certificate is null || (errors & (SslPolicyErrors.RemoteCertificateNameMismatch | SslPolicyErrors.RemoteCertificateNotAvailable)) != 0)
            return false;
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(roots);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        using var leaf = X509CertificateLoader.LoadCertificate(certificate.GetRawCertData());
        return chain.Build(leaf);
    }
}
