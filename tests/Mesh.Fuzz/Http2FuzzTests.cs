using Mesh.Http2;
using Mesh.Testing;

namespace Mesh.Fuzz;

/// <summary>Bytes from a hostile peer against a whole engine and an owner that does anything it may do.</summary>
public sealed class Http2FuzzTests
{
    private const int OutputLimit = 32 * 1024;
    private const int ControlBacklog = 16 * 1024;

    [Fact]
    public void Server_AnyInput_KeepsItsPromises() => Corpus.Run("http2-server", 8_000, (bytes, random) => Feed(Http2Role.Server, bytes, random));

    [Fact]
    public void Client_AnyInput_KeepsItsPromises() => Corpus.Run("http2-client", 8_000, (bytes, random) => Feed(Http2Role.Client, bytes, random));

    private static void Feed(Http2Role role, byte[] bytes, Random random)
    {
        var pool = new TrackingArrayPool();
        var handler = new LawfulHandler(random);
        var basis = role == Http2Role.Server ? Http2Options.ForServer : Http2Options.ForClient;
        var options = basis with { InitialWindowSize = random.Next(100_000), MaxControlBacklog = ControlBacklog, MaxConcurrentStreams = random.Next(20) };
        using (var connection = new Http2Connection(role, options, handler, pool) { OutputLimit = OutputLimit })
        {
            connection.Start();
            for (var i = 0; role == Http2Role.Client && i < 3; i++)
                connection.OpenStream(HeaderList.Connect("a:1"), endStream: i == 2);

            var rest = bytes.AsSpan();
            while (!rest.IsEmpty)
            {
                var piece = rest[..Math.Min(rest.Length, 1 + random.Next(500))];
                rest = rest[piece.Length..];
                connection.Receive(piece);
                if (random.Next(3) == 0)
                    connection.Output.Advance(random.Next(connection.Output.Length + 1));
                if (random.Next(20) == 0)
                    connection.Tick();
                if (random.Next(200) == 0)
                    connection.BeginGracefulShutdown();

                // One last DATA frame, and the answers to one piece of input, may come on top.
                Assert.True(connection.Output.Length < OutputLimit + ControlBacklog + (2 * 16 * 1024), $"the output has grown to {connection.Output.Length}");
                Assert.Equal(handler.Failed, connection.IsClosed);
            }

            connection.Output.Advance(connection.Output.Length);
        }

        Assert.Equal(0, pool.Outstanding);
    }
}
