using System.Net.Sockets;
using System.Text;

using Mesh.EndToEnd.Tests.Harness;
using Mesh.Testing;

namespace Mesh.EndToEnd.Tests.Direct;

/// <summary>
/// What a pod, or somebody beside it, can do to the ports that are not HBONE: each attempt ends with the right word or none, and costs a bounded
/// amount, while an open connection keeps its answers. Port 15008 has the probe's suite.
/// </summary>
public sealed class HostilePortTests
{
    private const long MemoryForAnAttack = 64L * 1024 * 1024;
    private static readonly byte[] HalfARequest = Encoding.ASCII.GetBytes("GET /metrics HTTP/1.1\r\nHost: ");
    private static readonly byte[] Http2Preface = Encoding.ASCII.GetBytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

    [RootFact("ip")]
    public async Task OwnPorts_CalledDirectly_CloseAtOnce() => await UnderAttackAsync(async rig =>
    {
        foreach (var port in (int[])[15001, 15006])
            await Task.WhenAll(Enumerable.Range(0, 300).Select(_ => PlayAsync(rig, port, [])));
    });

    [RootFact("ip")]
    public async Task Dns_UnderGarbageAndSilence_AnswersTheNextQuestion() => await UnderAttackAsync(async rig =>
    {
        using var datagrams = await rig.DatagramsAsync(15053);
        var random = new Random(1);
        for (var i = 0; i < 5000; i++)
        {
            var garbage = new byte[random.Next(1, 600)];
            random.NextBytes(garbage);
            await datagrams.SendAsync(garbage);
        }

        // A length without its message, a message that is none, and nothing at all.
        await Task.WhenAll(Enumerable.Range(0, 150).Select(i => PlayAsync(rig, 15053, (i % 3) switch { 0 => [0xFF, 0xFF], 1 => [0, 4, 1, 2, 3, 4], _ => [] })));
        var answer = await rig.ResolveAsync([0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, .. "svc"u8, 0, 0, 1, 0, 1]);
        Assert.Equal(0, answer[3] & 0xF);
    });

    [RootFact("ip")]
    public async Task Socks_UnderGarbageAndSilence_ClosesEach() => await UnderAttackAsync(async rig =>
        await Task.WhenAll(Enumerable.Range(0, 200).Select(i => PlayAsync(rig, 15080, (i % 4) switch { 0 => [5, 255], 1 => HalfARequest, 2 => [5, 1, 0, 5, 1, 0, 3, 255], _ => [] }))));

    [RootFact("ip")]
    public async Task Pages_UnderSlowAndOversizedRequests_RefuseThemAndServeOthers() => await UnderAttackAsync(async rig =>
    {
        foreach (var port in (int[])[15020, 15021])
        {
            await Task.WhenAll(Enumerable.Range(0, 100).Select(async _ => Refused(await PlayAsync(rig, port, HalfARequest))));
            Refused(await PlayAsync(rig, port, [.. HalfARequest, .. Enumerable.Repeat((byte)'a', 20_000)]));
            // Told in its own language: GOAWAY(HTTP_1_1_REQUIRED).
            Assert.StartsWith("\0\0\b\a", await PlayAsync(rig, port, Http2Preface), StringComparison.Ordinal);
            Refused(await PlayAsync(rig, port, Encoding.ASCII.GetBytes("\u0016\u0003\u0001 not HTTP\r\n\r\n")));
        }

        Assert.True((await rig.AskAsync(HttpMethod.Get, 15021, "/healthz/ready")).IsSuccessStatusCode);
        Assert.True((await rig.AskAsync(HttpMethod.Get, 15020, "/metrics")).IsSuccessStatusCode);
    });

    /// <summary>An open connection is answered all the while; afterwards a new one is, and memory and descriptors are back.</summary>
    private static async Task UnderAttackAsync(Func<DirectRig, Task> attack)
    {
        await using var rig = await DirectRig.StartAsync();
        using var open = await rig.OpenAsync(DirectRig.Tunnelled, DirectRig.Port);
        await DirectRig.EchoAsync(open, "before");
        var (memory, descriptors) = (rig.ResidentBytes, rig.Descriptors);

        var running = attack(rig);
        do
            await DirectRig.EchoAsync(open, "meanwhile");
        while (await Task.WhenAny(running, Task.Delay(20)) != running);
        await running;

        using var fresh = await rig.OpenAsync(DirectRig.Tunnelled, DirectRig.Port);
        await DirectRig.EchoAsync(fresh, "after");
        Assert.InRange(rig.ResidentBytes - memory, long.MinValue, MemoryForAnAttack);
        await Wait.UntilAsync(() => rig.Descriptors <= descriptors + 20, () => $"descriptors: {rig.Descriptors}, before: {descriptors}");
        Assert.False(rig.HasEnded, rig.Output);
    }

    private static void Refused(string answer) => Assert.Matches("^(HTTP/1.1 4|$)", answer);

    /// <summary>Says something and then nothing; returns what came until the proxy closed the connection, which it must.</summary>
    private static async Task<string> PlayAsync(DirectRig rig, int port, byte[] bytes)
    {
        using var patience = new CancellationTokenSource(Command.Patience);
        using var socket = await rig.ConnectAsync(port, patience.Token);
        var said = new StringBuilder();
        try
        {
            if (bytes.Length > 0)
                await socket.SendAsync(bytes, patience.Token);
            var buffer = new byte[4096];
            while (await socket.ReceiveAsync(buffer, patience.Token) is var count and > 0)
                said.Append(Encoding.Latin1.GetString(buffer, 0, count));
        }
        catch (SocketException)
        {
            // A reset is an end, too.
        }

        return said.ToString();
    }
}
