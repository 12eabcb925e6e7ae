using Mesh.Testing.Http2;
using Mesh.Waypoint.Http2;
using Mesh.Waypoint.Tests.Harness;

namespace Mesh.Waypoint.Tests.Http2;

/// <summary>How much of its answers an HTTP/2 application may have under way.</summary>
public sealed class StreamWindowTests
{
    private static Http2ClientConnection Connection() => new(null, 0, 100, TimeProvider.System) { OnRoom = _ => { }, OnEnd = _ => { } };

    [Fact]
    public void Window_DoublesWithEachWindowfulThatIsRead_UpToTheLargest()
    {
        var connection = Connection();
        var window = new StreamWindow();
        var size = StreamWindow.First;
        while (size < StreamWindow.Largest)
        {
            Assert.Equal(0, window.OnRead(size - 1, connection));
            Assert.Equal(size, window.OnRead(1, connection));
            size *= 2;
        }

        Assert.Equal(0, window.OnRead(2 * size, connection));
        Assert.Equal(StreamWindow.Largest - StreamWindow.First, window.Widening);
    }

    [Fact]
    public void WideWindows_AreAsManyAsTheConnectionHasRoomFor_AndGiveItBack()
    {
        var connection = Connection();
        var wide = new List<StreamWindow>();
        while (wide.Count < 1000)
        {
            var window = new StreamWindow();
            while (window.OnRead(StreamWindow.Largest, connection) > 0)
            {
            }

            if (window.Widening == 0)
                break;
            wide.Add(window);
        }

        Assert.InRange(wide.Sum(w => (long)w.Widening), 63 * 1024 * 1024, 64 * 1024 * 1024);
        connection.Narrow(wide[0].Widening);
        Assert.Equal(StreamWindow.First, new StreamWindow().OnRead(StreamWindow.First, connection));
    }

    [Fact]
    public async Task Application_WhoseAnswerIsRead_MaySendAsMuchAsTheLargestWindow_AndNoMore()
    {
        const int Size = 8 * 1024 * 1024;
        var most = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var origin = new RawHttp2Origin(async (server, _) =>
        {
            server.ShowsWindowUpdates = true;
            var stream = (await RawHttp2Origin.RequestAsync(server)).StreamId;
            await server.SendHeadersAsync(stream, false, (":status", "200"));
            var window = StreamWindow.First;
            var largest = window;
            var piece = new string('x', 16 * 1024);
            for (var left = Size; left > 0 || window < StreamWindow.Largest / 2;)
            {
                if (left > 0 && window >= piece.Length)
                {
                    await server.SendDataAsync(stream, piece);
                    left -= piece.Length;
                    window -= piece.Length;
                    continue;
                }

                var update = await RawHttp2Origin.FrameAsync(server, "WINDOW_UPDATE");
                if (update.StreamId == stream)
                    window += (int)update.Increment;
                largest = Math.Max(largest, window);
            }

            await server.SendDataAsync(stream, string.Empty, endStream: true);
            most.SetResult(largest);
        });
        await using var mesh = await OneService.StartAsync([origin.Port], cluster: c => c.Protocol = V1.Protocol.Http2);
        using var response = await mesh.GetAsync("/");
        Assert.Equal(Size, (await response.Content.ReadAsByteArrayAsync()).Length);
        Assert.InRange(await most.Task, StreamWindow.Largest / 2, StreamWindow.Largest);
    }
}
