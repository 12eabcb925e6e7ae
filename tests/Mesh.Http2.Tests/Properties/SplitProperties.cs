using FsCheck.Xunit;
using Mesh.Testing.Http2;

namespace Mesh.Http2.Tests.Properties;

/// <summary>However the network cuts a byte stream, the engine reports and answers the same.</summary>
public sealed class SplitProperties
{
    [Property(MaxTest = 300)]
    public void Server_AnySplit_GivesTheSameEventsAndAnswers(int seed)
    {
        var bytes = Sessions.OfClient(new Random(seed));
        var whole = Feed(Http2Role.Server, bytes, [bytes.Length]);
        var random = new Random(~seed);
        Assert.Equal(whole, Feed(Http2Role.Server, bytes, RandomCuts(random, bytes.Length, 1 + random.Next(2000))));
        Assert.Equal(whole, Feed(Http2Role.Server, bytes, RandomCuts(random, bytes.Length, 2)));
    }

    [Property(MaxTest = 300)]
    public void Client_AnySplit_GivesTheSameEventsAndAnswers(int seed)
    {
        var bytes = Sessions.OfServer(new Random(seed));
        var whole = Feed(Http2Role.Client, bytes, [bytes.Length]);
        var random = new Random(~seed);
        Assert.Equal(whole, Feed(Http2Role.Client, bytes, RandomCuts(random, bytes.Length, 1 + random.Next(2000))));
    }

    private static string Feed(Http2Role role, byte[] bytes, IEnumerable<int> cuts)
    {
        var handler = new RecordingHttp2Handler();
        var connection = new Http2Connection(role, Sessions.Options(role), handler);
        connection.Start();
        for (var i = 0; role == Http2Role.Client && i < Sessions.ClientStreams; i++)
            connection.OpenStream(HeaderList.Connect("a:1"), endStream: i % 2 == 1);
        var rest = bytes.AsSpan();
        foreach (var cut in cuts)
        {
            connection.Receive(rest[..cut]);
            rest = rest[cut..];
        }

        Assert.True(rest.IsEmpty);
        var answer = Convert.ToHexStringLower(connection.Output.Pending.Span);
        var bodies = string.Join(',', Enumerable.Range(0, 20).Select(i => Convert.ToHexStringLower(handler.Body((uint)i))));
        return $"{string.Join('\n', handler.Events)}\n{bodies}\n{answer}";
    }

    private static List<int> RandomCuts(Random random, int length, int largest)
    {
        var cuts = new List<int>();
        for (var left = length; left > 0; left -= cuts[^1])
            cuts.Add(Math.Min(left, 1 + random.Next(largest)));
        return cuts;
    }
}
