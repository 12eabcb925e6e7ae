using Mesh.Http2;

namespace Mesh.Ztunnel.Tests.Stories;

/// <summary><c>ENABLE_RESPONSE_BAGGAGE</c>: whether the answer describes the destination, and whether what the caller says of itself becomes labels.</summary>
public sealed class BaggageTests
{
    private static readonly HeaderField FromAnotherNetwork = new("x-forwarded-network", "remote");
    private static readonly HeaderField Said = new("baggage", "k8s.namespace.name=far,k8s.deployment.name=away");

    [Fact]
    public async Task On_TheAnswerDescribesTheServer_AndAForeignCallerIsWhatItSays()
    {
        await using var rig = await StoryRig.StartAsync();
        var opened = await rig.ConnectRawAsync(rig.Client, FromAnotherNetwork, Said);
        Assert.Contains("k8s.namespace.name=ns1", opened.Tunnel!.Headers.Get("baggage"), StringComparison.Ordinal);
        await rig.Loop.InvokeAsync(() => { opened.Tunnel.Reset(Http2ErrorCode.CANCEL); return true; });
        Assert.Equal("away", (await rig.LineAsync("inbound")).GetProperty("src.workload").GetString());
    }

    [Fact]
    public async Task Off_TheAnswerSaysNothing_AndNothingIsBelieved()
    {
        await using var rig = await StoryRig.StartAsync(null, ("ENABLE_RESPONSE_BAGGAGE", "false"));
        var opened = await rig.ConnectRawAsync(rig.Client, FromAnotherNetwork, Said);
        Assert.Null(opened.Tunnel!.Headers.Get("baggage"));
        await rig.Loop.InvokeAsync(() => { opened.Tunnel.Reset(Http2ErrorCode.CANCEL); return true; });
        Assert.False((await rig.LineAsync("inbound")).TryGetProperty("src.workload", out _));
    }
}
