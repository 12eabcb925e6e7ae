using System.Diagnostics;
using System.Globalization;
using Mesh.Testing;
using Mesh.Testing.Http2;
using Mesh.Waypoint.Tests.Harness;

namespace Mesh.Waypoint.Tests.Transport;

/// <summary>HTTP/2 applications by other people's implementations.</summary>
public sealed class ForeignApplicationTests
{
    private const int Length = 300_000;

    [ToolFact("node")]
    public async Task Node_GetsBodiesAndTrailers_AndSendsThemBack()
    {
        using var application = Start("node", Path.Combine(AppContext.BaseDirectory, "Services", "node_application.js"));
        var port = int.Parse(await application.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException("it ended before it printed its port"), CultureInfo.InvariantCulture);
        await using var mesh = await OneService.StartAsync([port], cluster: c => c.Protocol = V1.Protocol.Http2);
        using var client = await RawHttp2Socket.ConnectAsync(mesh.Entry);
        await client.SendRequestAsync(1, "POST", "/", endStream: false);
        await client.SendDataAsync(1, "body");
        await client.SendHeadersAsync(1, true, ("x-sum", "7"));
        var answer = await client.ResponseAsync(1);
        Assert.Equal((200, "body", """{"x-sum":"7"}"""), (answer.Status, answer.Body, answer.Trailers?.Get("x-seen")));

        await Parallel.ForEachAsync(Enumerable.Range(0, 30), async (i, _) =>
        {
            var sent = new string((char)('a' + (i % 26)), Length);
            using var response = await mesh.SendAsync(HttpMethod.Post, "/", new StringContent(sent));
            Assert.Equal(sent, await response.Content.ReadAsStringAsync());
        });
        application.StandardInput.Close();
    }

    [ToolFact("nghttpd")]
    public async Task Nghttpd_ServesManyAtOnce()
    {
        var port = Ports.Unused();
        var folder = Directory.CreateTempSubdirectory();
        await File.WriteAllTextAsync(Path.Combine(folder.FullName, "file"), new string('x', Length));
        using var application = Start("nghttpd", "--no-tls", "--max-concurrent-streams=3", "--address=127.0.0.1", $"--htdocs={folder.FullName}", $"{port}");
        try
        {
            await using var mesh = await OneService.StartAsync([port], OneService.Route(f => f.Retry = new V1.RetryPolicy { Attempts = 50, RetryOn = { "connect-failure" } }), c => c.Protocol = V1.Protocol.Http2);
            Assert.Equal(Length, (await mesh.TextAsync("/file")).Length);
            await Parallel.ForEachAsync(Enumerable.Range(0, 100), new ParallelOptions { MaxDegreeOfParallelism = 20 }, async (i, _) =>
            {
                using var response = await mesh.GetAsync(i % 10 == 0 ? "/absent" : "/file");
                Assert.Equal(i % 10 == 0 ? 404 : 200, (int)response.StatusCode);
                if (i % 10 != 0)
                    Assert.Equal(Length, (await response.Content.ReadAsByteArrayAsync()).Length);
            });
        }
        finally
        {
            application.Kill();
            folder.Delete(recursive: true);
        }
    }

    private static Process Start(string program, params string[] arguments) => Process.Start(
        new ProcessStartInfo(Prerequisites.FindTool(program)!, arguments) { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true })!;
}
