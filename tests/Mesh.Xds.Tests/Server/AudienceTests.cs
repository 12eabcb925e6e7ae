using FsCheck.Xunit;
using Mesh.Xds.Server;

namespace Mesh.Xds.Tests.Server;

/// <summary>Streams that may be sent a part of a table only.</summary>
public sealed class AudienceTests
{
    private readonly XdsResourceTable _table = new(XdsTypeUrls.Address);
    private readonly Audience _audience = new("a");

    [Fact]
    public async Task Client_IsSentWhatItMaySee_AndFollowsItsAudience()
    {
        Publish("for-a", 1, "a");
        Publish("for-b", 1, "b");
        Publish("for-all", 1, null);
        await using var client = Connect();
        client.Start();
        Assert.True(await client.UntilAsync(has => has.Count == 2));
        Assert.Equal(["for-a", "for-all"], client.Has.Keys.Order(StringComparer.Ordinal));

        // What it may not see changes and goes without its knowledge; what it may see arrives.
        Publish("for-b", 2, "b");
        _table.Publish([], ["for-b"]);
        Publish("for-b", 3, "b");
        Publish("for-a", 2, "a");
        Assert.True(await client.UntilAsync(has => has["for-a"] == DeltaXdsServerTests.Version(2)));
        Assert.All(client.Responses, r => Assert.DoesNotContain("for-b", r.Resources.Select(x => x.Name).Concat(r.RemovedResources)));

        _audience.Become("b");
        Assert.True(await client.UntilAsync(has => has.Count == 2 && has.GetValueOrDefault("for-b") == DeltaXdsServerTests.Version(3)));
        Assert.Contains("for-a", client.Responses[^1].RemovedResources);
    }

    [Property(MaxTest = 60)]
    public void Client_AfterAnyHistory_HasExactlyWhatItMaySee(byte[] history) => Task.Run(() => RunAsync(history ?? [])).GetAwaiter().GetResult();

    private async Task RunAsync(byte[] history)
    {
        var (table, audience) = (new XdsResourceTable(XdsTypeUrls.Address, history: 4), new Audience("a"));
        var model = new Dictionary<string, (string Version, string? For)>(StringComparer.Ordinal);
        var client = Connect(table, audience);
        client.Start();
        for (var i = 0; i < history.Length; i++)
        {
            var name = $"r{history[i] % 6}";
            string? whose = (history[i] / 6 % 3) switch { 0 => "a", 1 => "b", _ => null };
            switch (history[i] / 18 % 6)
            {
                case 0 or 1 or 2:
                    table.Publish([DeltaXdsServerTests.Resource(name, i).For(whose)], []);
                    model[name] = (DeltaXdsServerTests.Version(i), whose);
                    break;
                case 3:
                    table.Publish([], [name]);
                    model.Remove(name);
                    break;
                case 4:
                    audience.Become(whose ?? "c");
                    break;
                default:
                    var has = client.Has;
                    await client.DisposeAsync();
                    client = Connect(table, audience, has);
                    client.Start();
                    break;
            }
        }

        bool Right(Dictionary<string, string> has)
        {
            var expected = model.Where(m => m.Value.For is null || m.Value.For == audience.Whose).ToDictionary(m => m.Key, m => m.Value.Version, StringComparer.Ordinal);
            return has.Count == expected.Count && expected.All(e => has.GetValueOrDefault(e.Key) == e.Value);
        }

        var right = await client.UntilAsync(Right);
        await client.DisposeAsync();
        Assert.True(right);
    }

    private void Publish(string name, int content, string? audience) => _table.Publish([DeltaXdsServerTests.Resource(name, content).For(audience)], []);

    private InMemoryXdsClient Connect() => Connect(_table, _audience);

    private static InMemoryXdsClient Connect(XdsResourceTable table, Audience audience, Dictionary<string, string>? has = null) =>
        new(new DeltaXdsServer([table], new DeltaXdsServerOptions { AudienceOf = _ => audience }), XdsTypeUrls.Address, has);

    private sealed class Audience(string whose) : IXdsAudience
    {
        private volatile string _whose = whose;
        private long _generation;

        public event Action? Changed;

        public string Whose => _whose;

        public long Generation => Interlocked.Read(ref _generation);

        public bool MaySee(XdsResource resource) => resource.Audience is null || resource.Audience == _whose;

        public void Become(string other)
        {
            _whose = other;
            Interlocked.Increment(ref _generation);
            Changed?.Invoke();
        }
    }
}
