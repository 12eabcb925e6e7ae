using System.Text.Json.Nodes;

using Mesh.Meshctl.Control;
using Mesh.Meshctl.Why;

namespace Mesh.Meshctl.Tests.Why;

/// <summary>From the records of several proxies to one answer.</summary>
public sealed class StoryTests
{
    private static string Record(string direction, string ending, string? trace, params (string Name, object Value)[] more)
    {
        var json = new JsonObject { ["time"] = "2026-01-01T00:00:10Z", ["direction"] = direction, ["ending"] = ending, ["trace_id"] = trace, ["src.addr"] = "198.18.1.10:4000", ["dst.original"] = "198.18.2.10:80" };
        foreach (var (name, value) in more)
            json[name] = value is string text ? text : value is string[] texts ? new JsonArray([.. texts.Select(t => (JsonNode)t)]) : JsonValue.Create(Convert.ToDouble(value, System.Globalization.CultureInfo.InvariantCulture));
        return json.ToJsonString();
    }

    private static ProxyDecisions Proxy(string name, params string[] records) => new(name, name, [.. records], null);

    private static ConnectionStory Story(params ProxyDecisions[] proxies) => Assert.Single(ConnectionStory.Join(proxies));

    [Fact]
    public void RecordsOfOneTrace_AreOneConnection_InTheOrderOfTheBytes()
    {
        var stories = ConnectionStory.Join([
            Proxy("node-2", Record("inbound", "ok", "aa"), Record("inbound", "ok", "bb")),
            Proxy("waypoint", Record("request", "ok", "aa")),
            Proxy("node-1", Record("outbound", "ok", "aa"), Record("outbound", "ok", null), Record("outbound", "ok", null))]);
        Assert.Equal(4, stories.Count);
        Assert.Equal(["node-1", "waypoint", "node-2"], stories.Single(s => s.Hops.Count == 3).Hops.Select(h => h.Proxy));
    }

    [Fact]
    public void RequestOverAnotherConnectionsTunnel_IsJoinedByBothTraces()
    {
        // The inbound record comes first and is only bound to the others by the third.
        var story = Story(
            Proxy("node-2", Record("inbound", "ok", "upstream")),
            Proxy("node-1", Record("outbound", "ok", "client")),
            Proxy("waypoint", Record("request", "ok", "client", ("upstream_trace_id", "upstream"))));
        Assert.Equal(["node-1", "waypoint", "node-2"], story.Hops.Select(h => h.Proxy));
    }

    [Fact]
    public void Refusal_IsTheFarthestHops_AndItsPolicyIsNamed()
    {
        var story = Story(
            Proxy("node-1", Record("outbound", "tunnel_refused", "aa", ("peer_reason", "no_policy_matched"), ("src.workload", "client"), ("dst.workload", "web"), ("error", "http status: 401 (no_policy_matched)"))),
            Proxy("node-2", Record("inbound", "no_policy_matched", "aa", ("src.identity", "spiffe://td/ns/a/sa/b"), ("steps", new[] { "ALLOW default/x: did not match: principals" }))));
        Assert.Equal("node-2", story.Cause.Proxy);
        var text = StoryText.Render(story);
        Assert.Contains("client -> web (198.18.2.10:80)  no_policy_matched", text, StringComparison.Ordinal);
        Assert.Contains("do:  let one of the policies in the steps match spiffe://td/ns/a/sa/b.", text, StringComparison.Ordinal);
        Assert.Contains("tried    ALLOW default/x: did not match: principals", text, StringComparison.Ordinal);
    }

    [Fact]
    public void EveryEnding_IsExplainedInWords()
    {
        foreach (var ending in Enum.GetValues<Mesh.Model.Ending>().Where(e => e is not Mesh.Model.Ending.Ok).Select(Mesh.Model.EndingText.Name))
        {
            var text = StoryText.Render(Story(Proxy("waypoint", Record("request", ending, "aa", ("policy", "RateLimitPolicy/shop/x"), ("route_origin", "VirtualService shop/v")))));
            Assert.DoesNotContain($"ended it: {ending}", text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Refusal_OfAHopWithoutARecord_IsExplainedByWhatItStated()
    {
        var explanation = Explanation.Of(Story(Proxy("node-1", Record("outbound", "tunnel_refused", "aa", ("peer_reason", "upstream_refused"), ("dst.addr", "198.18.2.10:15008")))));
        Assert.Contains("198.18.2.10:15008 refused the CONNECT and gave upstream_refused", explanation.Reason, StringComparison.Ordinal);
        Assert.Contains("listens on that port", explanation.Action, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2000, 1, 2, 1990, 5, "for 1.99 s of it the program at 198.18.2.10:80 thought about its first answer")]
    [InlineData(2000, 1900, 2, 10, 5, "for 1.9 s of it node-1 waited for the control plane to decide")]
    [InlineData(2000, 1, 1900, 10, 5, "for 1.9 s of it node-1 tried to reach 198.18.2.10:15008")]
    [InlineData(2000, 1, 2, 10, 1900, "for 1.9 s of it nobody said anything at the end")]
    [InlineData(2000, 1, 2, 10, 5, "in which bytes moved")]
    [InlineData(20, 1, 2, 10, 5, "nothing is wrong with it")]
    public void SlowConnection_SaysWhoseTimeItWas(double total, double decide, double connect, double firstByte, double idle, string expected)
    {
        var story = Story(
            Proxy("node-1", Record("outbound", "ok", "aa", ("dst.addr", "198.18.2.10:15008"), ("total_ms", total), ("decide_ms", decide), ("connect_ms", connect), ("first_byte_ms", firstByte + 1), ("idle_ms", idle))),
            Proxy("node-2", Record("inbound", "ok", "aa", ("total_ms", total), ("connect_ms", 1), ("first_byte_ms", firstByte))));
        Assert.Contains(expected, Explanation.Of(story).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void OpenConnection_WithoutAnAnswer_IsTheProgramsTurn()
    {
        var open = new (string, object)[] { ("connect_ms", 1), ("idle_ms", 90000), ("bytes_forwarded", 80) };
        var story = Story(Proxy("node-1", Record("outbound", "open", "aa", open)), Proxy("node-2", Record("inbound", "open", "aa", open)));
        Assert.Contains("has got 80 bytes and answered nothing for 90 s", Explanation.Of(story).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void EveryEnding_HasAMeaning()
    {
        foreach (var ending in Enum.GetValues<Mesh.Model.Ending>().Select(Mesh.Model.EndingText.Name).Where(e => e is not ("ok" or "tunnel_refused")))
        {
            var reason = Explanation.Of(Story(Proxy("node-1", Record("outbound", ending, "aa")))).Reason;
            Assert.False(reason.Contains($"it: {ending}", StringComparison.Ordinal), $"{ending} is not explained: {reason}");
        }
    }

    [Fact]
    public void Json_HasTheVerdictAndEveryHopAsItWas()
    {
        var story = Story(Proxy("node-1", Record("outbound", "upstream_timeout", "aa", ("tls_ms", 3.5))));
        var json = StoryJson.Render([story], [new ProxyDecisions("waypoint", "node-2", [], "no answer")]);
        Assert.Equal("upstream_timeout", (string?)json["connections"]![0]!["ending"]);
        Assert.Equal(3.5, (double?)json["connections"]![0]!["hops"]![0]!["tls_ms"]);
        Assert.Equal("waypoint", (string?)json["not_asked"]![0]!["proxy"]);
    }
}
