using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Mesh.IstiodLite.Certificates;
using Mesh.IstiodLite.Discovery;
using Mesh.IstiodLite.Push;
using Mesh.IstiodLite.Telemetry;
using Mesh.IstiodLite.Translation;
using Mesh.Runtime;
using Mesh.Runtime.Admin;
using Mesh.Xds.Server;
using Microsoft.AspNetCore.Http;

namespace Mesh.IstiodLite.Admin;

/// <summary>The pages of port 15014. Read-only; no key is on any of them.</summary>
internal static class DebugPages
{
    private static readonly JsonSerializerOptions _json = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static void Map(AdminRoutes routes, Reconciler mesh, Publisher publisher, DiscoveryService discovery, Readiness readiness, Health health, ControlPlaneMetrics metrics, CertificateAuthority authority, string stateFolder)
    {
        routes.MapMetrics(metrics.Registry).MapReadiness(readiness);
        routes.Map("/ready", http => AdminReply.TextAsync(http, health.Text, readiness.IsReady ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable));
        routes.Map("/debug/refresh", async http =>
        {
            await mesh.RefreshAsync();
            await AdminReply.TextAsync(http, "the configuration is looked at\n");
        });
        routes.Map("/debug/problems", http => JsonAsync(http, TranslationJson.Problems(mesh.Current.Problems)));
        routes.Map("/debug/config_dump", http => JsonAsync(http, Dump(mesh)));
        routes.Map("/debug/registry", http => JsonAsync(http, Registry(mesh)));
        routes.Map("/debug/syncz", http => JsonAsync(http, Sync(discovery)));
        routes.Map("/debug/ca", http => JsonAsync(http, Authority(authority)));
        routes.Map("/ca-crl.pem", http => File.Exists(Path.Combine(stateFolder, PluggedInAuthority.CrlFile))
            ? AdminReply.TextAsync(http, File.ReadAllText(Path.Combine(stateFolder, PluggedInAuthority.CrlFile)))
            : AdminReply.TextAsync(http, "nothing was taken back\n", StatusCodes.Status404NotFound));
        routes.Map("/debug/waypoints", http => JsonAsync(http, WaypointPage.Of(mesh.Current.Translated)));
        routes.Map("/debug/push_status", http => JsonAsync(http, PushStatus(discovery, publisher)));
        routes.Map("/debug", http => AdminReply.TextAsync(http, "/debug/problems\n/debug/refresh\n/debug/registry\n/debug/syncz\n/debug/push_status\n/debug/ca\n/debug/waypoints\n/debug/config_dump\n"));
    }

    private static Task JsonAsync(HttpContext http, JsonNode json) => AdminReply.JsonAsync(http, Encoding.UTF8.GetBytes(json.ToJsonString(_json)));

    private static JsonObject Dump(Reconciler mesh)
    {
        var dump = TranslationJson.Of(mesh.Current.Translated);
        dump["problems"] = TranslationJson.Problems(mesh.Current.Problems);
        return dump;
    }

    /// <summary>Services and who serves them.</summary>
    private static JsonArray Registry(Reconciler mesh)
    {
        var addresses = mesh.Current.Translated.Addresses.Values;
        var endpoints = addresses
            .Where(a => a.Address.Workload is not null)
            .SelectMany(a => a.Address.Workload.Services.Keys.Select(s => (Service: s, a.Address.Workload)))
            .ToLookup(x => x.Service, x => x.Workload, StringComparer.Ordinal);
        return new JsonArray([.. addresses.Where(a => a.Address.Service is not null).Select(a => new JsonObject
        {
            ["service"] = a.Name,
            ["addresses"] = new JsonArray([.. a.Aliases.Select(x => (JsonNode)x)]),
            ["waypoint"] = a.Address.Service.Waypoint?.Hostname?.Hostname,
            ["endpoints"] = new JsonArray([.. endpoints[a.Name].Select(w => new JsonObject
            {
                ["workload"] = w.Uid,
                ["healthy"] = w.Status is Istio.Workload.WorkloadStatus.Healthy,
                ["node"] = w.Node,
                ["serviceAccount"] = w.ServiceAccount,
            })]),
        })]);
    }

    /// <summary>Who is connected and what each client has accepted.</summary>
    private static JsonArray Sync(DiscoveryService discovery) => new([.. discovery.Streams.Select(s => new JsonObject
    {
        ["peer"] = s.Peer.Name,
        ["node"] = s.Node?.Id,
        ["connected"] = s.Connected.ToString("O", System.Globalization.CultureInfo.InvariantCulture),
        ["pending"] = s.HasPending,
        ["types"] = new JsonArray([.. s.Types.Select(Type)]),
    })]);

    /// <summary>What is trusted and until when; public parts only.</summary>
    private static JsonObject Authority(CertificateAuthority authority) => new()
    {
        ["signsUntil"] = authority.NotAfter.ToString("O", System.Globalization.CultureInfo.InvariantCulture),
        ["roots"] = new JsonArray([.. AuthorityMaterial.Certificates(authority.RootPem).Select(r => new JsonObject
        {
            ["subject"] = r.Subject,
            ["sha256"] = r.GetCertHashString(System.Security.Cryptography.HashAlgorithmName.SHA256),
            ["notAfter"] = r.NotAfter.ToUniversalTime().ToString("O", System.Globalization.CultureInfo.InvariantCulture),
        })]),
    };

    /// <summary>How far the tables are and how many clients are where.</summary>
    private static JsonObject PushStatus(DiscoveryService discovery, Publisher publisher)
    {
        var types = discovery.Streams.SelectMany(s => s.Types).ToLookup(t => t.TypeUrl, StringComparer.Ordinal);
        return new JsonObject
        {
            ["clients"] = discovery.Streams.Count(),
            ["tables"] = new JsonArray([.. publisher.Tables().Select(t => new JsonObject
            {
                ["owner"] = t.Owner,
                ["type"] = ControlPlaneMetrics.ShortType(t.Table.TypeUrl),
                ["version"] = t.Table.Version,
                ["resources"] = t.Table.Count,
            })]),
            ["types"] = new JsonArray([.. types.OrderBy(t => t.Key, StringComparer.Ordinal).Select(t => new JsonObject
            {
                ["type"] = ControlPlaneMetrics.ShortType(t.Key),
                ["streams"] = t.Count(),
                ["synced"] = t.Count(s => s.InSync),
                ["refusing"] = t.Count(s => s.LastNack is not null && !s.InSync),
                ["pushes"] = t.Sum(s => s.Pushes),
                ["rejections"] = t.Sum(s => s.Nacks),
            })]),
        };
    }

    private static JsonObject Type(XdsTypeStatus type) => new()
    {
        ["type"] = ControlPlaneMetrics.ShortType(type.TypeUrl),
        ["wildcard"] = type.Wildcard,
        ["pushes"] = type.Pushes,
        ["sent"] = type.LastPush?.Nonce,
        ["accepted"] = type.LastAck,
        ["synced"] = type.LastPush is null || type.InSync,
        ["rejections"] = type.Nacks,
        ["lastRejection"] = type.LastNack?.Message,
    };
}
