using System.Text.Json;
using Mesh.Testing.Http2;

namespace Mesh.Http2.Tests;

/// <summary>What the Rust ztunnel was recorded to send, octet by octet, against what we send in the same situation. Fixtures/*.json are the recordings.</summary>
public sealed class RecordedWireTests
{
    [Theory]
    [InlineData("direct_to_workload")]
    [InlineData("to_service_waypoint")]
    public void Client_FirstFlight_IsTheRecordedOne(string recording)
    {
        var frames = Load("client_side.json").GetProperty(recording).EnumerateArray().ToList();
        var peer = ScriptedHttp2Peer.OfClient(handshake: false);
        var stream = peer.Connection.OpenStream(Headers(Frame(frames, "HEADERS")), endStream: false);

        Assert.Equal(Hex(Frame(frames, "SETTINGS")), peer.Expect("SETTINGS").Hex);
        Assert.Equal(Hex(Frame(frames, "WINDOW_UPDATE")), peer.Expect("WINDOW_UPDATE").Hex);
        Assert.Equal(Hex(Frame(frames, "HEADERS")), peer.Expect("HEADERS", 1).Hex);

        peer.SendSettings();
        Assert.Equal(Hex(frames.First(f => Type(f) == "SETTINGS" && Flags(f) == 1)), peer.Expect("SETTINGS").Hex);

        var data = frames.Where(f => Type(f) == "DATA" && StreamId(f) == 1).ToList();
        foreach (var frame in data)
        {
            var payload = Convert.FromHexString(Hex(frame))[9..];
            stream.Write(payload, endStream: Flags(frame) == 1);
            Assert.Equal(Hex(frame), peer.Expect("DATA", 1).Hex);
        }
    }

    [Fact]
    public void Client_SecondRequest_CarriesTheRecordedFields()
    {
        var frames = Load("client_side.json").GetProperty("direct_to_workload").EnumerateArray().ToList();
        var requests = frames.Where(f => Type(f) == "HEADERS").ToList();
        var peer = ScriptedHttp2Peer.OfClient();
        foreach (var request in requests)
        {
            peer.Connection.OpenStream(Headers(request), endStream: false);
            var sent = peer.Expect("HEADERS", (uint)StreamId(request));
            Assert.Equal(Headers(request).AsSpan().ToArray(), sent.Headers!.AsSpan().ToArray());

            // Not the same octets: fields that never repeat stay out of our table. Never more of them, though.
            Assert.True(sent.Payload.Length <= Convert.FromHexString(Hex(request)).Length - 9);
        }
    }

    [Fact]
    public void Server_GoodStream_SendsTheRecordedFrames()
    {
        var frames = Load("server_side.json").GetProperty("frames").EnumerateArray().ToList();
        var peer = ScriptedHttp2Peer.OfServer(handshake: false);
        Assert.Equal(Hex(Frame(frames, "SETTINGS")), peer.Expect("SETTINGS").Hex);
        Assert.Equal(Hex(Frame(frames, "WINDOW_UPDATE")), peer.Expect("WINDOW_UPDATE").Hex);
        peer.SendPreface();
        peer.SendSettings();
        Assert.Equal(Hex(frames.First(f => Type(f) == "SETTINGS" && Flags(f) == 1)), peer.Expect("SETTINGS").Hex);

        peer.SendConnect(1);
        var stream = peer.Handler.Stream(1);
        stream.SendHeaders(Headers(Frame(frames, "HEADERS")), endStream: false);
        Assert.Equal(Hex(Frame(frames, "HEADERS")), peer.Expect("HEADERS", 1).Hex);
        foreach (var frame in frames.Where(f => Type(f) == "DATA"))
        {
            stream.Write(Convert.FromHexString(Hex(frame))[9..], endStream: Flags(frame) == 1);
            Assert.Equal(Hex(frame), peer.Expect("DATA", 1).Hex);
        }
    }

    public static TheoryData<string> ResponseCases()
    {
        var cases = new TheoryData<string>();
        foreach (var recorded in Load("responses.json").GetProperty("cases").EnumerateArray())
            cases.Add(recorded.GetProperty("case").GetString()!);
        return cases;
    }

    [Theory]
    [MemberData(nameof(ResponseCases))]
    public void Server_AnswerToConnect_IsTheRecordedOne(string name)
    {
        var recorded = Load("responses.json").GetProperty("cases").EnumerateArray().Single(c => c.GetProperty("case").GetString() == name);
        var expected = recorded.GetProperty("frames").EnumerateArray().Where(f => Type(f) != "DATA").ToList();
        var peer = ScriptedHttp2Peer.OfServer();

        peer.SendHeaders(1, RequestOf(name, recorded));
        if (expected.FirstOrDefault(f => Type(f) == "HEADERS") is { ValueKind: JsonValueKind.Object } answer)
            peer.Handler.Stream(1).SendHeaders(Headers(answer), endStream: (Flags(answer) & 1) != 0);
        else
            Assert.False(peer.Handler.HasSeen(1), "a malformed request never reaches the owner");

        Assert.Equal(expected.Select(Hex), peer.Take().Select(f => f.Hex));
        Assert.False(peer.Connection.IsClosed);
    }

    [Fact]
    public void Server_GracefulDrain_SendsTheRecordedSequence()
    {
        var frames = Load("drain.json").GetProperty("frames").EnumerateArray().ToList();
        var peer = ScriptedHttp2Peer.OfServer();
        peer.SendConnect(1);
        peer.Handler.Stream(1).SendHeaders(HeaderList.Response(200), endStream: false);
        peer.Take();

        peer.Connection.BeginGracefulShutdown();
        Assert.Equal(Hex(frames[0]), peer.Expect("GOAWAY").Hex);
        var ping = peer.Expect("PING");
        Assert.Equal(Hex(frames[1])[..18], ping.Hex[..18]); // all but the opaque octets
        peer.ExpectNothing();

        peer.SendPing(ping.Opaque, ack: true);
        Assert.Equal(Hex(frames[2]), peer.Expect("GOAWAY").Hex);
        peer.ExpectNothing();
    }

    private static HeaderList RequestOf(string name, JsonElement recorded)
    {
        if (name == "method_get")
            return HeaderList.Request("GET", "https", "198.18.1.21:8080", "/");
        var authority = recorded.TryGetProperty("authority", out var text) ? text.GetString()! : "198.18.1.21:8080";
        return name == "connect_with_path" ? HeaderList.Request("CONNECT", "https", authority, "/") : HeaderList.Connect(authority);
    }

    private static HeaderList Headers(JsonElement frame)
    {
        var headers = new HeaderList();
        foreach (var pair in frame.GetProperty("headers").EnumerateArray())
            headers.Add(pair[0].GetString()!, pair[1].GetString()!);
        return headers;
    }

    private static JsonElement Frame(List<JsonElement> frames, string type) => frames.First(f => Type(f) == type);

    private static string Type(JsonElement frame) => frame.GetProperty("type").GetString()!;

    private static string Hex(JsonElement frame) => frame.GetProperty("hex").GetString()!;

    private static int Flags(JsonElement frame) => frame.GetProperty("flags").GetInt32();

    private static int StreamId(JsonElement frame) => frame.GetProperty("stream").GetInt32();

    private static JsonElement Load(string file) =>
        JsonDocument.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Fixtures", file))).RootElement;
}
