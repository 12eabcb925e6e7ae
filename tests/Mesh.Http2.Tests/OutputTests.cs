using Mesh.Testing;
using Mesh.Testing.Http2;

namespace Mesh.Http2.Tests;

/// <summary>The output buffer: its limit, in-place writing, and who is woken when it drains.</summary>
public sealed class OutputTests
{
    [Fact]
    public void Write_AboveTheOutputLimit_IsShortUntilTheOwnerHasDrainedHalf()
    {
        var peer = Connected(out var stream);
        peer.Connection.OutputLimit = 100_000;
        Assert.Equal(100_000, stream.Write(new byte[100_000]));
        Assert.Equal(0, stream.Write(new byte[10]));
        Assert.True(stream.GetDataBuffer(10).IsEmpty);

        var output = peer.Connection.Output;
        output.Advance(output.Length - 50_001);
        Assert.Empty(peer.Handler.Events);
        output.Advance(1);
        Assert.Equal(["writable 1"], peer.Handler.Events);
    }

    [Fact]
    public void ControlFrames_AboveTheOutputLimit_StillGoOut()
    {
        var peer = Connected(out var stream);
        peer.Connection.OutputLimit = 1000;
        stream.Write(new byte[1000]);
        var before = peer.Connection.Output.Length;
        peer.SendPing(1);
        stream.EndStream();
        Assert.Equal(before + 17 + 9, peer.Connection.Output.Length);
    }

    [Fact]
    public void Owner_ThatDrainsInsideOnWritable_StillServesEveryWaiter()
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendSettings((4, 1 << 20));
        peer.SendWindowUpdate(0, 1 << 24);
        foreach (var id in (uint[])[1, 3, 5])
        {
            peer.SendConnect(id);
            peer.Handler.Stream(id).SendHeaders(HeaderList.Response(200), endStream: false);
        }

        var output = peer.Connection.Output;
        peer.Connection.OutputLimit = 20_000;
        var left = new Dictionary<uint, int> { [1] = 200_000, [3] = 200_000, [5] = 200_000 };
        peer.Handler.WhenWritable = Pump;
        foreach (var id in left.Keys.ToArray())
            Pump(peer.Handler.Stream(id));
        output.Advance(output.Length);

        Assert.All(left.Values, rest => Assert.Equal(0, rest));

        void Pump(Http2Stream stream)
        {
            left[stream.Id] -= stream.Write(new byte[left[stream.Id]]);
            if (peer.Handler.Events.Count > 0)
                output.Advance(output.Length);
        }
    }

    [Fact]
    public void DataBuffer_FilledInPlace_IsTheFrame()
    {
        var peer = Connected(out var stream);
        var room = stream.GetDataBuffer(16384);
        Assert.Equal(16384 - 9, room.Length); // with its header one TLS record
        "hello"u8.CopyTo(room);
        stream.CommitData(5);
        var frame = peer.Expect("DATA", 1);
        Assert.Equal("hello", frame.Text);
        Assert.Equal(1 << 20, stream.SendWindow.Available + 5);

        stream.GetDataBuffer(1000)[0] = (byte)'!';
        stream.CommitData(1, endStream: true);
        Assert.Equal("DATA 1 1 end", peer.Expect("DATA").ToString());
    }

    [Fact]
    public void DataBuffer_OfWhichNothingWasUsed_LeavesNoTrace()
    {
        var peer = Connected(out var stream);
        var readyCalls = peer.Handler.OutputReadyCalls;
        stream.GetDataBuffer(1000);
        stream.CommitData(0);
        Assert.Equal(0, peer.Connection.Output.Length);
        Assert.Equal(readyCalls, peer.Handler.OutputReadyCalls);

        stream.GetDataBuffer(1000);
        stream.CommitData(0, endStream: true);
        Assert.Equal("DATA 1 0 end", peer.Expect("DATA").ToString());
    }

    [Fact]
    public void DataBuffer_OvertakenByAnotherFrame_CannotBeCommitted()
    {
        var peer = Connected(out var stream);
        stream.GetDataBuffer(1000);
        peer.Connection.SendPing(1);
        Assert.Throws<InvalidOperationException>(() => stream.CommitData(5));
        stream.GetDataBuffer(10);
        Assert.Throws<InvalidOperationException>(() => stream.CommitData(11));
    }

    [Fact]
    public void DataBuffer_IsBoundedByCreditAndFrameSize()
    {
        var peer = Connected(out var stream);
        Assert.Equal(16384 - 9, stream.GetDataBuffer(1 << 19).Length);
        stream.CommitData(0);
        peer.SendSettings((4, 100));
        Assert.Equal(100, stream.GetDataBuffer(1 << 19).Length);
    }

    [Fact]
    public void OutputReady_IsCalledOncePerFilling()
    {
        var peer = Connected(out var stream);
        var before = peer.Handler.OutputReadyCalls;
        stream.Write("a"u8);
        stream.Write("b"u8);
        Assert.Equal(before + 1, peer.Handler.OutputReadyCalls);
        peer.Take();
        stream.Write("c"u8);
        Assert.Equal(before + 2, peer.Handler.OutputReadyCalls);
    }

    [Fact]
    public void EmptyOutput_OwnsNoBuffer_AndDisposeReturnsAll()
    {
        var pool = new TrackingArrayPool();
        var handler = new RecordingHttp2Handler();
        var server = new Http2Connection(Http2Role.Server, Http2Options.ForServer, handler, pool);
        server.Start();
        Assert.Equal(1, pool.Outstanding);
        server.Output.Advance(server.Output.Length);
        Assert.Equal(0, pool.Outstanding);

        server.Receive("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x4\0\0\0\0\0"u8);
        server.Receive([0, 1, 0, 1, 0, 0, 0, 0, 1, 0x82]);
        Assert.Equal(2, pool.Outstanding);
        server.Dispose();
        server.Receive(new byte[300]);
        server.SendPing(1);
        Assert.Equal(0, pool.Outstanding);
    }

    private static ScriptedHttp2Peer Connected(out Http2Stream stream)
    {
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendSettings((4, 1 << 20));
        peer.SendWindowUpdate(0, 1 << 20);
        peer.SendConnect(1);
        stream = peer.Handler.Stream(1);
        stream.SendHeaders(HeaderList.Response(200), endStream: false);
        peer.Take();
        peer.Handler.TakeEvents();
        return peer;
    }
}
