using FsCheck.Xunit;
using Mesh.Xds.Server;

namespace Mesh.Xds.Tests.Server;

/// <summary>Whatever happens in whatever order, the client ends with exactly the server's state (of what it asked for).</summary>
public sealed class ServerModelTests
{
    private const int Names = 8;

    [Property(MaxTest = 60)]
    public void Wildcard_AfterAnyHistory_EndsWithEverything(byte[] history) => Run(history, onDemand: false);

    // Two publications are remembered: most catching up is a walk through the table.
    [Property(MaxTest = 60)]
    public void Wildcard_FurtherBehindThanTheLog_EndsWithEverything(byte[] history) => Run(history, onDemand: false, remembered: 2);

    [Property(MaxTest = 60)]
    public void OnDemand_AfterAnyHistory_EndsWithWhatWasAskedFor(byte[] history) => Run(history, onDemand: true);

    // Properties are synchronous. Off xunit's own context, whose few threads all the blocked properties would otherwise hold.
    private static void Run(byte[]? history, bool onDemand, int remembered = 1024) => Task.Run(() => RunAsync(history ?? [], onDemand, remembered)).GetAwaiter().GetResult();

    private static async Task RunAsync(byte[] history, bool onDemand, int remembered)
    {
        var table = new XdsResourceTable(XdsTypeUrls.Address, remembered);
        var server = new DeltaXdsServer([table]);
        var model = new Dictionary<string, string>(StringComparer.Ordinal);
        var wanted = new HashSet<string>(StringComparer.Ordinal);
        var client = new InMemoryXdsClient(server, XdsTypeUrls.Address);
        client.Start(onDemand);
        var content = 0;
        foreach (var step in history)
        {
            var name = $"r{step % Names}";
            switch (step / Names % 8)
            {
                case 0 or 1:
                    table.Publish([DeltaXdsServerTests.Resource(name, ++content)], []);
                    model[name] = DeltaXdsServerTests.Version(content);
                    break;
                case 2:
                    table.Publish([], [name]);
                    model.Remove(name);
                    break;
                case 3:
                    client.StopReading();
                    break;
                case 4:
                    client.ReadOn();
                    break;
                case 5:
                    var has = client.Has;
                    await client.DisposeAsync();
                    client = new InMemoryXdsClient(server, XdsTypeUrls.Address, has);
                    client.Start(onDemand, onDemand ? [.. wanted] : []);
                    break;
                case 6 when onDemand:
                    wanted.Add(name);
                    client.Subscribe(name);
                    break;
                case 7 when onDemand && wanted.Remove(name):
                    // What is still on its way to the client may arrive after it let go; a client asks again for what it wants.
                    client.ReadOn();
                    await client.UntilAsync(h => Equal(h, Expected(model, wanted, name)));
                    client.Unsubscribe(name);
                    // The model has one order of events: what is published before the server has heard this would still be sent.
                    while (server.Streams.Any(s => s.Types.Any(t => t.SubscribedNames > wanted.Count)))
                        await Task.Yield();
                    break;
            }
        }

        client.ReadOn();
        var expected = onDemand ? Expected(model, wanted) : model;
        var equal = await client.UntilAsync(h => Equal(h, expected));
        var ended = client.Has;
        await client.DisposeAsync();
        Assert.True(equal, $"client has {Show(ended)}, expected {Show(expected)}");
        Assert.Empty(server.Streams);
    }

    private static Dictionary<string, string> Expected(Dictionary<string, string> model, HashSet<string> wanted, params string[] also) =>
        model.Where(m => wanted.Contains(m.Key) || also.Contains(m.Key)).ToDictionary(StringComparer.Ordinal);

    private static bool Equal(Dictionary<string, string> left, Dictionary<string, string> right) =>
        left.Count == right.Count && left.All(l => right.TryGetValue(l.Key, out var version) && version == l.Value);

    private static string Show(Dictionary<string, string> state) => string.Join(", ", state.OrderBy(s => s.Key, StringComparer.Ordinal).Select(s => $"{s.Key}={s.Value[..4]}"));
}
