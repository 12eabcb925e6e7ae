using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Mesh.IstiodLite.Certificates;
using Mesh.IstiodLite.Telemetry;
using Mesh.Runtime;
using Mesh.Runtime.Metrics;
using Mesh.Testing;
using Mesh.Testing.Kubernetes.Serving;

namespace Mesh.IstiodLite.Tests.OnKubernetes;

/// <summary>Bad days of the control plane itself: each is an Event on its own pod and a number of its metrics page, as long as it lasts.</summary>
public sealed class PlaneFaultTests
{
    [Theory]
    [InlineData(300, "5 min ahead of the API server's")]
    [InlineData(-45, "half a minute behind the API server's")]
    public async Task ClockThatIsNotTheApiServers_IsTold(int ahead, string told)
    {
        await using var rig = await ClusterRig.StartAsync();
        rig.Time = new OtherClock(TimeSpan.FromSeconds(ahead));
        var host = await rig.ControlPlaneAsync();
        await ToldAsync(rig, host, "ClockSkew", "clock_skew", told);
    }

    [Fact]
    public async Task ApiServerThatGoesAway_IsCountedWhileItIs_AndToldWhenItIsBack()
    {
        await using var rig = await ClusterRig.StartAsync();
        var host = await rig.ControlPlaneAsync();
        await rig.Server.StopAsync();
        await CountAsync(rig, host, "api_server_away", 1);
        await rig.Server.StartAsync();
        await rig.EventAsync("istiod-a", "ApiServerAway", "does not answer");
        await CountAsync(rig, host, "api_server_away", 0);
    }

    [Fact]
    public async Task ApiServerThatIsAwayAtTheStart_IsTold()
    {
        await using var rig = await ClusterRig.StartAsync();
        rig.Server.Faults.Add(new Fault { Method = "GET", Path = "/secrets/", Status = 500, Times = 3, Body = """{"kind":"Status","status":"Failure","message":"etcd is away","code":500}""" });
        await rig.ControlPlaneAsync();
        await rig.EventAsync("istiod-a", "ApiServerAway", "etcd is away");
    }

    [Fact]
    public async Task AuthorityThatIsGone_IsTold_UntilItIsThereAgain()
    {
        await using var rig = await ClusterRig.StartAsync();
        var host = await rig.ControlPlaneAsync();
        var secret = rig.Server.Get("", "secrets", "istio-system", "istio-ca-secret")!.ToJsonString();
        rig.Delete("", "secrets", "istio-system", "istio-ca-secret");
        await ToldAsync(rig, host, "StateNotKept", "state_not_kept", "the next start makes a root that nobody trusts");
        rig.Put(secret);
        await CountAsync(rig, host, "state_not_kept", 0);
    }

    [Fact]
    public async Task AuthorityThatEndsSoon_IsTold()
    {
        await using var rig = await ClusterRig.StartAsync();
        rig.Put(Plugged(Root(days: 100, left: 15)));
        var host = await rig.ControlPlaneAsync();
        await ToldAsync(rig, host, "AuthorityEnding", "authority_ending", "CN=plugged in of the mesh's authority ends on");
    }

    [Theory]
    [InlineData(3650, 100, false)]
    [InlineData(3650, 89, true)]
    [InlineData(100, 21, false)]
    [InlineData(100, 19, true)]
    public void Authority_IsToldToEnd_NinetyDaysBeforeOrAFifthOfItsLife(int days, int left, bool told)
    {
        using var root = Root(days, left);
        Assert.Equal(told, new AuthorityMaterial(root, [], AuthorityMaterial.Pem(root)).Ending(DateTimeOffset.UtcNow) is not null);
        using var good = Root(3650, 3000);
        // What is above it counts, too; of several roots the last one.
        Assert.Equal(told, new AuthorityMaterial(good, [AuthorityMaterial.Pem(root)], AuthorityMaterial.Pem(good)).Ending(DateTimeOffset.UtcNow) is not null);
        Assert.Null(new AuthorityMaterial(good, [], AuthorityMaterial.Pem(root) + AuthorityMaterial.Pem(good)).Ending(DateTimeOffset.UtcNow));
    }

    [Fact]
    public async Task AuthorityThatCannotBeUsed_IsTold_WhileTheOneBeforeSigns()
    {
        await using var rig = await ClusterRig.StartAsync();
        var host = await rig.ControlPlaneAsync();
        rig.Put("""{"apiVersion":"v1","kind":"Secret","metadata":{"name":"cacerts","namespace":"istio-system"},"data":{"ca-cert.pem":"bm9uZQ=="} }""");
        await ToldAsync(rig, host, "AuthorityUnusable", "authority_unusable", "cacerts is incomplete");
        rig.Delete("", "secrets", "istio-system", "cacerts");
        await CountAsync(rig, host, "authority_unusable", 0);
    }

    /// <summary>The process ends: its pod is the only place where that can be read.</summary>
    [Fact]
    public async Task AuthorityThatCannotBeUsedAtTheStart_IsTold_BeforeTheProcessEnds()
    {
        await using var rig = await ClusterRig.StartAsync();
        rig.Put("""{"apiVersion":"v1","kind":"Secret","metadata":{"name":"cacerts","namespace":"istio-system"},"data":{"ca-cert.pem":"bm9uZQ=="} }""");
        await Assert.ThrowsAsync<StateException>(() => rig.OpenAsync("istiod-a"));
        await rig.EventAsync("istiod-a", "AuthorityUnusable", "the control plane cannot start: the Secret istio-system/cacerts is incomplete");
    }

    [Theory]
    [InlineData("PATCH", "/status$", "status")]
    [InlineData("PUT", "/leases/", "leadership")]
    public async Task LeaderThatCannotWrite_IsTold_UntilItCan(string method, string path, string part)
    {
        await using var rig = await ClusterRig.StartAsync();
        rig.Service("pay", """{"istio.io/use-waypoint":"missing"}""");
        rig.Server.Faults.Add(new Fault { Method = method, Path = path, Status = 500, Body = """{"kind":"Status","status":"Failure","message":"etcd is full","code":500}""" });
        var host = await rig.ControlPlaneAsync();
        await ToldAsync(rig, host, "LeaderCannotWrite", "leader_cannot_write", $"{part}: ");
        rig.Server.Faults.Clear();
        await CountAsync(rig, host, "leader_cannot_write", 0);
    }

    [Fact]
    public async Task WebhookWhoseAuthoritySomebodyOverwrote_IsWrittenAgain_CountedAndTold()
    {
        await using var rig = await ClusterRig.StartAsync();
        var webhook = Testing.Kubernetes.ManifestFile.Read(Testing.Repository.Manifest).Single(o => (string?)o["kind"] is "ValidatingWebhookConfiguration");
        rig.Server.Store.Put(webhook.DeepClone().AsObject());
        var host = await rig.ControlPlaneAsync();
        var ours = await BundleAsync(b => b.Length > 0);
        // Written for the first time: nobody has overwritten anything.
        Assert.Contains("istiod_lite_webhook_repairs_total 0", await rig.GetAsync(host, "/metrics"), StringComparison.Ordinal);

        var other = rig.Server.Get("admissionregistration.k8s.io", "validatingwebhookconfigurations", "", "istio-validator-istio-system")!.DeepClone().AsObject();
        other["webhooks"]![0]!["clientConfig"]!["caBundle"] = Convert.ToBase64String("other"u8);
        rig.Server.Store.Put(other);
        await rig.EventAsync("istiod-a", "WebhookRepaired", "the caBundle of ValidatingWebhookConfiguration istio-validator-istio-system had been overwritten by another writer");
        Assert.Equal(ours, await BundleAsync(b => b == ours));
        Assert.Contains("istiod_lite_webhook_repairs_total 1", await rig.GetAsync(host, "/metrics"), StringComparison.Ordinal);

        async Task<string> BundleAsync(Func<string, bool> wanted) =>
            Bundle(await rig.ObjectAsync("admissionregistration.k8s.io", "validatingwebhookconfigurations", "", "istio-validator-istio-system", c => wanted(Bundle(c))));

        static string Bundle(JsonObject configuration) => (string?)configuration["webhooks"]![0]!["clientConfig"]!["caBundle"] ?? string.Empty;
    }

    /// <summary>Looked at every 5 s: what is wrong with documents is found by looking at the whole mesh, and is not asked for it.</summary>
    [Fact]
    public void Look_AsksOnlyForWhatIsOfTheControlPlane()
    {
        var health = new Health(new Readiness(TimeProvider.System), new MetricRegistry(), null);
        health.Ask("documents", () => throw new InvalidOperationException("asked"));
        health.Ask(PlaneFaults.Clock, () => ["another time"]);
        health.Failing("plugged-in authority", "none of ours");
        Assert.Equal([(PlaneFault.ClockSkew, PlaneFaults.Clock, "another time")], new PlaneFaults(health, new MetricRegistry()).Current());
    }

    /// <summary>API servers forget Events after an hour.</summary>
    [Fact]
    public async Task WhatStillStands_IsToldAgain()
    {
        await using var rig = await ClusterRig.StartAsync();
        rig.TellAgain = TimeSpan.FromMilliseconds(50);
        await rig.ControlPlaneAsync();
        rig.Put("""{"apiVersion":"v1","kind":"Secret","metadata":{"name":"cacerts","namespace":"istio-system"},"data":{"ca-cert.pem":"bm9uZQ=="} }""");
        rig.Put("""{"apiVersion":"v1","kind":"Pod","metadata":{"name":"typo","namespace":"shop","labels":{"istio.io/dataplane-mod":"ambient"} },"spec":{"nodeName":"node-1"},"status":{"phase":"Running","podIP":"10.1.0.9"} }""");
        await TimesAsync("istiod-a", "AuthorityUnusable");
        var pods = 0;
        await ClusterRig.UntilAsync(() =>
        {
            // A change of anything is a look at everything; otherwise there is one each minute.
            rig.Pod("other", "other", $"10.2.0.{(++pods % 200) + 1}");
            return Task.FromResult(Times("typo", "Suspicious"));
        }, times => times >= 3, "the label is told again");

        Task TimesAsync(string pod, string reason) => ClusterRig.UntilAsync(() => Task.FromResult(Times(pod, reason)), times => times >= 3, $"{reason} is told again");

        int Times(string pod, string reason) => rig.Events().Where(e => (string?)e["reason"] == reason && (string?)e["regarding"]!["name"] == pod).Select(e => (int?)e["series"]?["count"] ?? 1).DefaultIfEmpty().Max();
    }

    [Fact]
    public async Task Page_OfAGoodControlPlane_HasAZeroForEachFault_AndNothingIsTold()
    {
        await using var rig = await ClusterRig.StartAsync();
        var host = await rig.ControlPlaneAsync();
        await rig.ObjectAsync("", "configmaps", "shop", "istio-ca-root-cert", _ => true);
        var page = await rig.GetAsync(host, "/metrics");
        foreach (var fault in (string[])["clock_skew", "state_not_kept", "api_server_away", "authority_ending", "authority_unusable", "leader_cannot_write"])
            Assert.Contains($"istiod_lite_control_plane_faults{{fault=\"{fault}\"}} 0", page, StringComparison.Ordinal);
        Assert.Empty(rig.Events());
    }

    /// <summary>Either way: what a control plane tells of itself is in the table, and what the table says of it is told.</summary>
    [Fact]
    public async Task Table_OfTheDocumentation_HasEachFault_AndNoOther()
    {
        var rows = BadDays.Rows().Where(r => r.Reason != "Suspicious" && r.Metric.StartsWith("istiod_lite_", StringComparison.Ordinal)).ToList();
        Assert.Equal(Enum.GetNames<PlaneFault>().Append("WebhookRepaired").Order(StringComparer.Ordinal), rows.Select(r => r.Reason).Order(StringComparer.Ordinal));
        await using var rig = await ClusterRig.StartAsync();
        var page = await rig.GetAsync(await rig.ControlPlaneAsync(), "/metrics");
        foreach (var row in rows)
            Assert.Contains($"{row.Metric} 0\n", page, StringComparison.Ordinal);
    }

    private static async Task ToldAsync(ClusterRig rig, ControlPlaneHost host, string reason, string label, string told)
    {
        await rig.EventAsync("istiod-a", reason, told);
        await CountAsync(rig, host, label, 1);
    }

    private static Task CountAsync(ClusterRig rig, ControlPlaneHost host, string label, int count) => ClusterRig.UntilAsync(
        () => rig.GetAsync(host, "/metrics"), page => page.Contains($"istiod_lite_control_plane_faults{{fault=\"{label}\"}} {count}", StringComparison.Ordinal), $"{count} {label} are counted");

    private static X509Certificate2 Root(int days, int left)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=plugged in", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        return request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(left - days), DateTimeOffset.UtcNow.AddDays(left));
    }

    private static string Plugged(X509Certificate2 root)
    {
        using var key = root.GetECDsaPrivateKey()!;
        return new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Secret",
            ["metadata"] = new JsonObject { ["name"] = "cacerts", ["namespace"] = "istio-system" },
            ["data"] = new JsonObject(new[] { ("ca-cert.pem", root.ExportCertificatePem()), ("ca-key.pem", key.ExportPkcs8PrivateKeyPem()), ("root-cert.pem", root.ExportCertificatePem()) }
                .Select(p => KeyValuePair.Create(p.Item1, (JsonNode?)Convert.ToBase64String(Encoding.ASCII.GetBytes(p.Item2))))),
        }.ToJsonString();
    }

    private sealed class OtherClock(TimeSpan ahead) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + ahead;
    }
}
