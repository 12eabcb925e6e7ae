using System.Text.Json;
using Mesh.Model;
using Mesh.Runtime.Decisions;
using Mesh.Waypoint.Forwarding;
using Mesh.Waypoint.Telemetry;
using Mesh.Waypoint.Tests.Harness;

namespace Mesh.Waypoint.Tests.Telemetry;

public sealed class DecisionTests
{
    private const string Trace = "4bf92f3577b34da6a3ce929d0e0e4736";

    private static JsonElement Json(RequestDecision decision)
    {
        var buffer = new System.Buffers.ArrayBufferWriter<byte>();
        DecisionPage.WriteLine(buffer, decision);
        return JsonDocument.Parse(buffer.WrittenMemory).RootElement;
    }

    private static async Task<JsonElement> LastAsync(OneService mesh)
    {
        await mesh.Waypoint.NextReportAsync();
        return Json(mesh.Waypoint.Decisions.Ring.Newest().First());
    }

    [Fact]
    public async Task Request_WithRetries_TellsEachTryAndTheRoute()
    {
        await using var good = await Origin.TextAsync("ok");
        var route = OneService.Route(
            f => f.Retry = new V1.RetryPolicy { Attempts = 5, RetryOn = { "connect-failure" }, RetryIgnorePreviousHosts = true },
            r => (r.Name, r.Origin) = ("canary", "VirtualService shop/orders"));
        await using var mesh = await OneService.StartAsync([1, good.Port], route);
        JsonElement record;
        do
        {
            Assert.Equal("ok", await mesh.TextAsync("/a?b", ("traceparent", $"00-{Trace}-00f067aa0ba902b7-01")));
            record = await LastAsync(mesh);
        }
        while (record.GetProperty("attempts").GetInt32() == 1);
        Assert.Equal(("request", "ok", "GET", "/a?b", 200), (Text(record, "direction"), Text(record, "ending"), Text(record, "method"), Text(record, "path"), record.GetProperty("status").GetInt32()));
        Assert.Equal(("canary", "VirtualService shop/orders", "orders.shop.svc.cluster.local", $"127.0.0.1:{good.Port}"),
            (Text(record, "route_name"), Text(record, "route_origin"), Text(record, "dst.service"), Text(record, "dst.addr")));
        Assert.Equal((Requests.Storefront, Trace), (Text(record, "src.identity"), Text(record, "trace_id")));
        Assert.Contains("try 1: 127.0.0.1:1: ", record.GetProperty("steps")[0].GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Request_UnderDryRun_SaysWhatWouldHaveHappened()
    {
        await using var origin = await Origin.TextAsync("ok");
        var policy = new V1.RequestPolicy
        {
            Name = "AuthorizationPolicy/shop/strict",
            Namespace = "shop",
            Authorization = new V1.AuthorizationRules { DryRun = true, Action = V1.AuthorizationRules.Types.Action.Deny, Rules = { new V1.AuthorizationRule { To = { new V1.Operation { Paths = { "/admin" } } } } } },
        };
        await using var mesh = await OneService.StartAsync([origin.Port], policies: policy);
        Assert.Equal("ok", await mesh.TextAsync("/admin"));
        Assert.Equal("dry run: denied by shop/strict rule 0", (await LastAsync(mesh)).GetProperty("steps")[0].GetString());
        Assert.Equal("ok", await mesh.TextAsync("/"));
        Assert.Equal("dry run: allowed", (await LastAsync(mesh)).GetProperty("steps")[0].GetString());
    }

    [Fact]
    public async Task Ring_SearchedBySourceDestinationAndEnding_FindsTheRequest()
    {
        await using var mesh = await OneService.StartAsync([1]);
        using var response = await mesh.GetAsync("/");
        await mesh.Waypoint.NextReportAsync();
        var ring = mesh.Waypoint.Decisions.Ring;
        Assert.Single(ring.Find(new DecisionQuery("storefront", "orders.shop", null, "upstream_unreachable", 10)));
        Assert.Empty(ring.Find(new DecisionQuery("warehouse", null, null, null, 10)));
        Assert.Empty(ring.Find(new DecisionQuery(null, null, null, "ok", 10)));
    }

    [Theory]
    [InlineData("-", "via_upstream", Ending.Ok)]
    [InlineData("URX", "via_upstream", Ending.Ok)]
    [InlineData("UF", "upstream_reset_before_response_started{...}", Ending.UpstreamUnreachable)]
    [InlineData("DC", "downstream_remote_disconnect", Ending.PeerReset)]
    [InlineData("RL", "local_rate_limited", Ending.RateLimited)]
    [InlineData("UAEX", "ext_authz_denied", Ending.DeniedByPolicy)]
    [InlineData("UT", "response_timeout", Ending.UpstreamTimeout)]
    [InlineData("UO", "upstream_reset_before_response_started{overflow}", Ending.UpstreamOverflow)]
    [InlineData("-", "rbac_access_denied_matched_policy[none]", Ending.NoPolicyMatched)]
    [InlineData("-", "rbac_access_denied_matched_policy[ns[a]-policy[b]-rule[0]]", Ending.DeniedByPolicy)]
    [InlineData("-", "jwt_authn_access_denied{Jwt_is_expired}", Ending.TokenRefused)]
    [InlineData("DI,FI", "fault_filter_abort", Ending.FaultInjected)]
    public void Ending_OfFlagsAndDetails_IsOneOfTheClosedSet(string flags, string details, Ending expected)
    {
        var value = Enum.GetValues<ResponseFlags>().Where(f => flags.Split(',').Contains(f.ToText())).Aggregate(ResponseFlags.None, (a, b) => a | b);
        Assert.Equal(expected, RequestEnding.Of(value, details));
    }

    private static string? Text(JsonElement record, string name) => record.TryGetProperty(name, out var value) ? value.GetString() : null;
}
