using Mesh.Http2.Framing;

namespace Mesh.Http2.Tests.Properties;

/// <summary>A client and a server engine, the octets between them, and what each has promised to send.</summary>
internal sealed class TwoEngines
{
    private readonly Random _random;
    private readonly Side _client;
    private readonly Side _server;
    private readonly List<byte> _toServer = [];
    private readonly List<byte> _toClient = [];
    private readonly int _initialWindow;

    public TwoEngines(Random random)
    {
        _random = random;
        _initialWindow = 1 + random.Next(random.Next(2) == 0 ? 500 : 100_000);
        var limits = Http2Options.ForServer with { SettingsFrames = new(100_000, 0), ResetStreams = new(100_000, 0), EmptyDataFrames = new(100_000, 0) };
        var server = limits with { InitialWindowSize = _initialWindow, ConnectionWindowSize = 65535 + random.Next(100_000), MaxConcurrentStreams = 5 };
        var client = limits with { InitialWindowSize = _initialWindow, ConnectionWindowSize = 65535 + random.Next(100_000), MaxConcurrentStreams = null };
        _client = new Side(Http2Role.Client, client, random);
        _server = new Side(Http2Role.Server, server, random);
        foreach (var side in (Side[])[_client, _server])
        {
            side.Connection.OutputLimit = 1 + random.Next(50_000);
            side.Connection.Start();
        }
    }

    public void RandomStep()
    {
        var side = _random.Next(2) == 0 ? _client : _server;
        switch (_random.Next(14))
        {
            case 0:
                if (_client.Connection.CanOpenStream)
                    _client.Begin(_client.Connection.OpenStream(HeaderList.Connect("a:1"), endStream: false));
                break;
            case 1 or 2 or 3: side.WriteSome(); break;
            case 4 or 5: side.ConsumeSome(); break;
            case 6: side.EndOne(); break;
            case 7:
                if (_random.Next(8) == 0)
                    side.ResetOne();
                break;
            case 8: side.Connection.SendPing(1); break;
            case 9: ChangeWindow(side, _random.Next(_initialWindow + 1)); break;
            case 10: side.Connection.Tick(); break;
            default: Carry(whole: false); break;
        }
    }

    /// <summary>Everybody stops starting things, reads everything and ends properly.</summary>
    public void Finish()
    {
        Carry(whole: true);
        ChangeWindow(_client, _initialWindow);
        ChangeWindow(_server, _initialWindow);
        for (var quiet = 0; quiet < 3;)
        {
            var before = _client.Progress + _server.Progress;
            foreach (var side in (Side[])[_client, _server])
            {
                side.ConsumeAll();
                side.FinishWriting();
            }

            Carry(whole: true);
            quiet = _client.Progress + _server.Progress == before ? quiet + 1 : 0;
        }
    }

    public void AssertEverythingArrived()
    {
        foreach (var id in _client.Sent.Keys.Where(id => !WasReset(id)))
        {
            Assert.Equal(_client.Sent[id], _server.Received.GetValueOrDefault(id));
            Assert.Equal(_server.Sent.GetValueOrDefault(id), _client.Received.GetValueOrDefault(id));
            Assert.Equal((true, true), (_client.Ended.Contains(id), _server.Ended.Contains(id)));
        }
    }

    public void AssertStatesMatch()
    {
        Assert.Null(_client.Error);
        Assert.Null(_server.Error);
        Assert.Equal((0, 0), (_client.Connection.ActiveStreams, _server.Connection.ActiveStreams));
        Assert.Equal((0, 0), (_client.Connection.Output.Length, _server.Connection.Output.Length));
        Assert.True(_client.Closed.Order().SequenceEqual(_client.Sent.Keys.Order()), "every stream closed exactly once at the client");
        Assert.Equal(_server.Closed.Count, _server.Closed.Distinct().Count());
    }

    /// <summary>With nothing under way: what one side may send and what the other owes make up the whole window.</summary>
    public void AssertCreditIsConserved()
    {
        AssertWindow(_client.Connection, _server.Connection);
        AssertWindow(_server.Connection, _client.Connection);
    }

    private static void AssertWindow(Http2Connection sender, Http2Connection receiver)
    {
        Assert.Equal(receiver.ReceiveWindowOfConnection.Available, sender.SendWindowOfConnection.Available);
        Assert.Equal(receiver.Options.ConnectionWindowSize, receiver.ReceiveWindowOfConnection.Available + receiver.ReceiveWindowOfConnection.Owed);
    }

    private bool WasReset(uint id) => _client.WereReset.Contains(id) || _server.WereReset.Contains(id);

    /// <summary>As if the peer of <paramref name="side"/> had changed its INITIAL_WINDOW_SIZE, never above what it really grants.</summary>
    private void ChangeWindow(Side side, int window)
    {
        var (incoming, other) = side == _client ? (_toClient, _server) : (_toServer, _client);
        MoveOut(other, incoming);
        byte[] frame = [0, 0, 6, (byte)FrameType.SETTINGS, 0, 0, 0, 0, 0, 0, 4, (byte)(window >> 24), (byte)(window >> 16), (byte)(window >> 8), (byte)window];
        incoming.AddRange(frame);
    }

    private void Carry(bool whole)
    {
        do
        {
            Carry(_client, _toServer, _server, whole);
            Carry(_server, _toClient, _client, whole);
        }
        while (whole && _client.Connection.Output.Length + _server.Connection.Output.Length + _toServer.Count + _toClient.Count > 0);
    }

    private void Carry(Side from, List<byte> wire, Side to, bool whole)
    {
        if (whole || _random.Next(2) == 0)
            MoveOut(from, wire);
        var count = whole ? wire.Count : _random.Next(wire.Count + 1);
        var part = wire.GetRange(0, count).ToArray();
        wire.RemoveRange(0, count);
        to.Connection.Receive(part);
    }

    private static void MoveOut(Side from, List<byte> wire)
    {
        while (from.Connection.Output.Length > 0)
        {
            var pending = from.Connection.Output.Pending.ToArray();
            wire.AddRange(pending);
            from.Connection.Output.Advance(pending.Length);
        }
    }
}
