using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Mesh.Waypoint.Routing;
using Xunit.Abstractions;

namespace Mesh.Waypoint.Tests.Recorded;

/// <summary>What playing a scenario came to.</summary>
internal sealed record ReplayOutcome(string Scenario, int Same, int Known, int Skipped, IReadOnlyList<string> Failures)
{
    public void Check(ITestOutputHelper output)
    {
        output.WriteLine($"{Scenario}: {Same} as recorded, {Known} known differences, {Skipped} listed as not played");
        Assert.True(Failures.Count == 0, $"{Failures.Count} of {Same + Known + Skipped + Failures.Count} differ:\n{string.Join('\n', Failures)}");
    }
}

/// <summary>Plays a scenario's cases in order against a standing waypoint: each is as recorded, or listed as different.</summary>
internal sealed class Replayer(Scenario scenario, RecordedMesh mesh, IEntry entry)
{
    // What one case does there counts for the next: ejections, connections, a round's place.
    private static readonly string[] KeepsState = ["01-canary-weights", "04-connection-pool", "05-outlier-detection", "10-load-balancing"];

    private static readonly TimeSpan AttemptPatience = TimeSpan.FromSeconds(2);

    // For an upstream request that should not come.
    private static readonly TimeSpan Grace = TimeSpan.FromMilliseconds(5);

    /// <summary>Straight to the waypoint, each connection a tunnel.</summary>
    public static Task<ReplayOutcome> PlayAsync(string name) => PlayAsync(name, m => TunnelEntry.StartAsync(m.Ca, m.Entrance), _ => true);

    /// <summary>Through our node agent, without the cases that only wait.</summary>
    public static Task<ReplayOutcome> PlayThroughZtunnelAsync(string name) =>
        PlayAsync(name, m => Task.FromResult(ZtunnelEntry.Start(m.Ca, m.World)), c => (bool?)c["slow"] != true);

    private static async Task<ReplayOutcome> PlayAsync(string name, Func<RecordedMesh, Task<IEntry>> enter, Func<JsonNode, bool> where)
    {
        var outcome = await OnceAsync();

        // A case whose state went on too long on a busy machine cannot be played alone again; everything can, afresh.
        return outcome.Failures.Count > 0 && KeepsState.Contains(name) ? await OnceAsync() : outcome;

        async Task<ReplayOutcome> OnceAsync()
        {
            var scenario = Scenario.Load(name);
            await using var mesh = await RecordedMesh.StartAsync(scenario);
            await using var entry = await enter(mesh);
            return await new Replayer(scenario, mesh, entry).RunAsync(where);
        }
    }

    public async Task<ReplayOutcome> RunAsync(Func<JsonNode, bool> where)
    {
        var known = KnownDifferences.For(scenario.Name);
        var failures = new List<string>();
        var (same, listed, skipped) = (0, 0, 0);
        foreach (var recorded in scenario.Cases.Where(where))
        {
            var id = (string)recorded["id"]!;
            known.TryGetValue(id, out var entry);
            if (entry?.Listing == Listing.Skipped)
            {
                skipped++;
                continue;
            }

            var differences = await PlayCaseAsync(recorded);

            // A step of some 100 ms may come late on a busy machine; what is wrong is wrong every time.
            for (var again = 0; again < 3 && !KeepsState.Contains(scenario.Name) && differences.Count > 0 && entry is null; again++)
                differences = await PlayCaseAsync(recorded);
            if (differences.Count == 0 && entry is null)
                same++;
            else if (entry is not null && (differences.Count > 0 || entry.Listing == Listing.Sometimes))
                listed++;
            else
                failures.Add(differences.Count == 0 ? $"{id}: agrees now; remove it from KnownDifferences.txt" : $"{id}: {string.Join("; ", differences)}");
        }

        return new ReplayOutcome(scenario.Name, same, listed, skipped, failures);
    }

    private async Task<List<string>> PlayCaseAsync(JsonNode recorded)
    {
        var differences = new List<string>();
        var steps = recorded["steps"]!.AsArray();
        for (var i = 0; i < steps.Count; i++)
            differences.AddRange(await StepAsync(steps[i]!, $"{recorded["id"]}#{i}"));
        return differences;
    }

    private async Task<IEnumerable<string>> StepAsync(JsonNode step, string key)
    {
        switch ((string?)step["do"])
        {
            case "sleep":
                await Task.Delay((int)step["ms"]!);
                return [];
            case "instance":
                await mesh.Instances.SetStateAsync((string)step["name"]!, (string)step["state"]!);
                return [];
        }

        var request = step["request"]!;
        var recorded = step["observed"]!;
        mesh.ForgetLog(key);
        mesh.Instances.Log.Script(key, step["script"]);
        mesh.Instances.Log.Script("?", null);
        if ((int?)step["repeat"] is null or 1)
            return await OnceAsync(step, request, recorded, key);

        var results = await ManyAsync(step, request, key, (int)step["repeat"]!);
        await SettleAsync(step, key, recorded["by_instance"]!.AsObject().Sum(i => (int)i.Value!));
        for (var i = 0; i < results.Length; i++)
        {
            results[i].Attempts.AddRange(mesh.Instances.Log.Of(key, i));
            results[i].Log = recorded["log"] is JsonObject && results[i].Error != "connect" ? await mesh.LogAsync(key, i) : null;
        }

        return RepeatedComparison.Differences(step, recorded, results);
    }

    private async Task<IEnumerable<string>> OnceAsync(JsonNode step, JsonNode request, JsonNode recorded, string key)
    {
        var started = Stopwatch.GetTimestamp();
        var host = scenario.Services.First(s => s.Name == (string)request["service"]!).Host;
        Seen seen;
        var stream = await ConnectAsync(request);
        if ((string?)request["proto"] == "h2")
        {
            await using var _ = stream;
            seen = await Http2Client.SendAsync(stream, request, host, key, 0);
        }
        else
        {
            await using var connection = new Http1Client(stream);
            seen = request["raw"] is null ? await connection.SendAsync(request, host, key, 0) : await connection.SendRawAsync(request, recorded, key);
        }

        var duration = Stopwatch.GetElapsedTime(started);

        // Where it went another way already there is nothing to wait for.
        var ignores = (step["ignore"] as JsonArray ?? []).Any(n => (string)n! == "attempts");
        var agrees = seen.Status == (int?)recorded["status"] && seen.Error == (string?)recorded["error"];
        await SettleAsync(step, key, agrees && !ignores ? (recorded["attempts"] as JsonArray ?? []).Count : 0);
        seen.Attempts.AddRange(mesh.Instances.Log.Of(key, 0));
        if (request["raw"] is not null)
            seen.Attempts.AddRange(mesh.Instances.Log.Of("?", 0));
        seen.Log = recorded["log"] is JsonObject && agrees ? await mesh.LogAsync(key, 0) : null;
        return Comparison.Single(step, recorded, seen, duration);
    }

    private async Task<Seen[]> ManyAsync(JsonNode step, JsonNode request, string key, int repeat)
    {
        var results = new Seen[repeat];
        var next = -1;
        await Task.WhenAll(Enumerable.Range(0, (int?)step["parallel"] ?? 1).Select(_ => WorkAsync()));
        return results;

        async Task WorkAsync()
        {
            var host = scenario.Services.First(s => s.Name == (string)request["service"]!).Host;
            Http1Client? connection = null;
            while (Interlocked.Increment(ref next) is var i && i < repeat)
            {
                var one = Varied(step, request, i);
                await Task.Delay((int?)step["pause_ms"] ?? 0);
                if ((string?)request["proto"] == "h2")
                {
                    await using var stream = await ConnectAsync(request);
                    results[i] = await Http2Client.SendAsync(stream, one, host, key, i);
                    continue;
                }

                connection ??= new Http1Client(await ConnectAsync(request));
                results[i] = await connection.SendAsync(one, host, key, i);
                if (results[i].Error is null && results[i].Header("connection") != "close" && (bool?)step["keepalive"] != false)
                    continue;
                await connection.DisposeAsync();
                connection = null;
            }

            if (connection is not null)
                await connection.DisposeAsync();
        }
    }

    private static JsonNode Varied(JsonNode step, JsonNode request, int number)
    {
        if (step["vary"] is null)
            return request;
        var one = request.DeepClone();
        foreach (var (name, value) in Scenario.Headers(step["vary"]))
        {
            one["headers"] ??= new JsonArray();
            one["headers"]!.AsArray().Add(new JsonArray(name, value.Replace("{i}", number.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)));
        }

        return one;
    }

    private Task<Stream> ConnectAsync(JsonNode request)
    {
        var service = scenario.Services.First(s => s.Name == (string)request["service"]!);
        return entry.ConnectAsync(new OriginalDestination(service.Vip, (int?)request["port"] ?? service.Port), (string?)request["identity"] ?? scenario.DefaultIdentity);
    }

    // What was recorded has arrived, or does not come any more; then what should not come has its chance, longer where the recorder waited.
    private async Task SettleAsync(JsonNode step, string key, int expected)
    {
        var started = Stopwatch.GetTimestamp();
        while (mesh.Instances.Log.Count(key) + mesh.Instances.Log.Count("?") < expected && Stopwatch.GetElapsedTime(started) < AttemptPatience && step["repeat"] is null)
            await Task.Delay(1);
        await Task.Delay((int?)step["settle_ms"] is { } settle ? TimeSpan.FromMilliseconds(settle) : Grace);
    }
}
