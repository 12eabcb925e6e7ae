using Mesh.EndToEnd.Tests.Harness;

namespace Mesh.EndToEnd.Tests.Traffic;

/// <summary>A captured connection behaves like a TCP connection: ends, resets, back-pressure, many at once.</summary>
public sealed class ByteStreamTests(TrafficMesh mesh) : IClassFixture<TrafficMesh>
{
    [MeshFact("python3")]
    public async Task Client_EndsFirst_StillGetsTheAnswer() =>
        Assert.Equal("read 5000\nthen b''\n", (await PlayAsync("half-close-client")).Output);

    [MeshFact("python3")]
    public async Task Server_EndsFirst_StillReadsTheRest()
    {
        Assert.Equal("spoken\nthen ''\n", (await PlayAsync("half-close-server")).Output);
        await ServerSaysAsync("speak-then-listen: read 7000 after the own end");
    }

    [MeshFact("python3")]
    public async Task Server_Resets_TheClientSeesAReset() =>
        Assert.Equal("now\nreset by peer\n", (await PlayAsync("reset-by-server")).Output);

    [MeshFact("python3")]
    public async Task Client_Resets_TheServerSeesAReset()
    {
        Assert.Equal("go\n", (await PlayAsync("reset-by-client")).Output);
        await ServerSaysAsync("await-reset: reset by peer");
    }

    [MeshFact("python3")]
    public async Task HundredMegabytesEachWay_ReadersThatStall_ArriveIntact() =>
        Assert.Equal("down intact\nup intact\n", (await PlayAsync("bulk", "104857600")).Output);

    [MeshFact("python3")]
    public async Task ThousandConnections_OpenAtOnce_AreAllAnswered() =>
        Assert.Equal("1000 of 1000 answered\n", (await PlayAsync("many", "1000")).Output);

    private async Task<CommandResult> PlayAsync(string behaviour, params string[] more) =>
        (await TrafficMesh.PlayAsync(await mesh.Value, "client", behaviour, more)).Expect(0);

    private async Task ServerSaysAsync(string text)
    {
        var running = await mesh.Value;
        await Wait.UntilAsync(async () => (await running.LogAsync("server")).Contains(text, StringComparison.Ordinal), () => text);
    }
}
