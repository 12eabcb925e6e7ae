using System.Net.Sockets;
using System.Text;
using Mesh.Http2;
using Mesh.Testing.Http2;
using Mesh.Waypoint.Tests.Harness;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Tests.Correctness;

/// <summary>Clients that mean harm. Each test ends with another client that is served as if nothing happened.</summary>
public sealed class HostileClientTests
{
    /// <summary>A connection that was open before the attack, with a request that is under way during it.</summary>
    private static async Task<Func<Task>> WitnessAsync(OneService mesh)
    {
        var witness = await RawHttp2Socket.ConnectAsync(mesh.Entry);
        await witness.SendRequestAsync(1, "POST", "/witness", endStream: false);
        await witness.SendDataAsync(1, "be");
        return async () =>
        {
            using (witness)
            {
                await witness.SendDataAsync(1, "fore", endStream: true);
                Assert.Equal((200, "before"), await witness.ResponseAsync(1) is var r ? (r.Status, r.Body) : default);
            }

            Assert.Equal("after", await (await mesh.SendAsync(HttpMethod.Post, "/", new StringContent("after"))).Content.ReadAsStringAsync());
        };
    }

    private static Task<Origin> EchoAsync() => Origin.StartAsync(http => http.Request.Body.CopyToAsync(http.Response.Body));

    [Theory]
    [InlineData("rapid reset")]
    [InlineData("PING")]
    [InlineData("SETTINGS")]
    [InlineData("empty HEADERS continuation")]
    public async Task Http2Flood_EndsItsConnectionOrIsAbsorbed_AndNoOther(string kind)
    {
        await using var origin = await EchoAsync();
        await using var mesh = await OneService.StartAsync([origin.Port]);
        var others = await WitnessAsync(mesh);
        using var client = await RawHttp2Socket.ConnectAsync(mesh.Entry);
        var ended = client.GoAwayAsync();
        try
        {
            if (kind == "empty HEADERS continuation")
                await client.SendFrameAsync("HEADERS", 1, 1, default);
            for (var i = 0; i < 20_000 && !ended.IsCompleted; i++)
            {
                switch (kind)
                {
                    case "rapid reset":
                        await client.SendRequestAsync((uint)((i * 2) + 1), "GET", "/");
                        await client.SendResetAsync((uint)((i * 2) + 1), Http2ErrorCode.CANCEL);
                        break;
                    case "empty HEADERS continuation":
                        await client.SendFrameAsync("CONTINUATION", 0, 1, default);
                        break;
                    default:
                        await client.SendFrameAsync(kind, 0, 0, kind == "PING" ? new byte[8] : default);
                        break;
                }
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            // It was ended, or is not read any more.
        }

        await others();
    }

    [Fact]
    public async Task HeadersThatNeverEnd_HoldNobodyElseUp()
    {
        await using var origin = await EchoAsync();
        await using var mesh = await OneService.StartAsync([origin.Port]);
        var others = await WitnessAsync(mesh);
        var slow = new List<TcpClient>();
        for (var i = 0; i < 200; i++)
        {
            var client = new TcpClient();
            await client.ConnectAsync(mesh.Entry);
            await client.GetStream().WriteAsync("GET / HTTP/1.1\r\nHost: x\r\nX-A: "u8.ToArray());
            slow.Add(client);
        }

        await others();
        slow.ForEach(c => c.Dispose());
    }

    [Fact]
    public async Task BodiesThatNeverEnd_HoldNobodyElseUp()
    {
        await using var origin = await EchoAsync();
        await using var mesh = await OneService.StartAsync([origin.Port]);
        var others = await WitnessAsync(mesh);
        var slow = new List<TcpClient>();
        for (var i = 0; i < 100; i++)
        {
            var client = new TcpClient();
            await client.ConnectAsync(mesh.Entry);
            await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx"));
            slow.Add(client);
        }

        await others();
        slow.ForEach(c => c.Dispose());
    }

    [Fact]
    public async Task ManySmallFrames_ArriveWhole()
    {
        await using var origin = await EchoAsync();
        await using var mesh = await OneService.StartAsync([origin.Port]);
        using var client = await RawHttp2Socket.ConnectAsync(mesh.Entry);
        await client.SendRequestAsync(1, "POST", "/", endStream: false);
        for (var i = 0; i < 5000; i++)
            await client.SendDataAsync(1, "x");
        await client.SendDataAsync(1, string.Empty, endStream: true);
        var answer = await client.ResponseAsync(1);
        Assert.Equal((200, 5000), (answer.Status, answer.Body.Length));
    }

    [Fact]
    public async Task HugeHeaders_AreRefusedOnTheirConnectionOnly()
    {
        await using var origin = await EchoAsync();
        await using var mesh = await OneService.StartAsync([origin.Port]);
        var others = await WitnessAsync(mesh);
        using (var one = new TcpClient())
        {
            await one.ConnectAsync(mesh.Entry);
            var sent = 0;
            try
            {
                await one.GetStream().WriteAsync("GET / HTTP/1.1\r\nHost: x\r\nX-A: "u8.ToArray());
                for (; sent < 64; sent++)
                    await one.GetStream().WriteAsync(new byte[64 * 1024].Select(_ => (byte)'a').ToArray()).AsTask().WaitAsync(TimeSpan.FromSeconds(10));
            }
            catch (Exception e) when (e is IOException or TimeoutException)
            {
                // Closed before it had all.
            }
        }

        using var two = await RawHttp2Socket.ConnectAsync(mesh.Entry);
        await two.SendRequestAsync(1, "GET", "/", true, [.. Enumerable.Range(0, 300).Select(i => ($"x-{i}", new string('a', 1000)))]);
        var answer = await two.ResponseAsync(1);
        Assert.True(answer.Reset is not null || answer.Status == 431, $"{answer.Status}");
        await others();
    }

    [Theory]
    [InlineData("/caf\u00e9")]
    [InlineData("/\u00ff\u00fe")]
    [InlineData("/%ff%fe")]
    [InlineData("/%c0%ae%c0%ae/admin")]
    public async Task InvalidUtf8_InATarget_IsPassedAsItCameOrRefused_NeverRepaired(string path)
    {
        var targets = new List<string>();
        using var origin = new RawOrigin(async peer =>
        {
            while (await peer.ReadHeadAsync() is { Length: > 0 } head)
            {
                lock (targets)
                    targets.Add(head.Split(' ')[1]);
                await peer.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            }
        });
        await using var mesh = await OneService.StartAsync([origin.Port]);
        var answer = await mesh.RawAsync($"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        Assert.Matches("^HTTP/1.1 (200|400) ", answer);
        Assert.All(targets, t => Assert.Equal(path, t));
        Assert.Equal(answer.StartsWith("HTTP/1.1 200", StringComparison.Ordinal) ? 1 : 0, targets.Count);
    }

    [Theory]
    [InlineData("/public/../admin")]
    [InlineData("/public/..;/admin")]
    [InlineData("/public/%2e%2e/admin")]
    [InlineData("/public/.%2e/admin")]
    [InlineData("/public\\..\\admin")]
    [InlineData("/public/..%5cadmin")]
    [InlineData("/./admin")]
    [InlineData("/%61dmin")]
    [InlineData("/admin#/public")]
    [InlineData("/admin?/public")]
    [InlineData("http://x/admin")]
    public async Task PathTricks_DoNotPassADenyRule(string target)
    {
        var paths = new List<string>();
        await using var origin = await Origin.StartAsync(http =>
        {
            lock (paths)
                paths.Add(http.Request.Path.Value!);
            return http.Response.WriteAsync("in");
        });
        var deny = new V1.RequestPolicy
        {
            Name = "admin",
            Namespace = "shop",
            Authorization = new V1.AuthorizationRules
            {
                Action = V1.AuthorizationRules.Types.Action.Deny,
                Rules = { new V1.AuthorizationRule { To = { new V1.Operation { Paths = { "/admin", "/admin/*" } } } } },
            },
        };
        await using var mesh = await OneService.StartAsync([origin.Port], policies: deny);
        await mesh.RawAsync($"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        Assert.DoesNotContain("/admin", paths);
        Assert.Equal("in", await mesh.TextAsync("/public"));
    }
}
