using System.Collections;
using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Google.Protobuf;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Files;
using Mesh.IstiodLite.Translation;
using Mesh.Waypoint.Routing;
using Mesh.Waypoint.Tests.Harness;
using Xunit.Abstractions;

namespace Mesh.Waypoint.Tests.Recorded;

/// <summary>
/// The recorded behaviour of Istio's waypoint replayed against ours, configured by our control plane's translation of the same documents. What does
/// not agree stands in KnownDifferences.txt with its reason; an entry that agrees again is an error too, so the list cannot rot.
/// </summary>
public sealed class ReplayTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData("01-canary-weights")]
    [InlineData("02-retries")]
    [InlineData("03-timeouts")]
    [InlineData("04-connection-pool")]
    [InlineData("05-outlier-detection")]
    [InlineData("06-matching")]
    [InlineData("07-route-actions")]
    [InlineData("08-authorization")]
    [InlineData("09-jwt")]
    [InlineData("10-load-balancing")]
    [InlineData("11-httproute")]
    [InlineData("12-protocol")]
    [InlineData("14-path-merge-slashes")]
    [InlineData("15-path-decode-and-merge-slashes")]
    public async Task Scenario_Replayed_BehavesAsRecorded(string name)
    {
        var scenario = Scenario.Load(name);
        var known = KnownDifferences.For(name);
        var failures = new List<string>();
        var counts = (Same: 0, Known: 0, Skipped: 0);
        await using var instances = new ScriptedInstances(scenario, Elsewhere);
        await using var waypoint = new TestWaypoint(normalization: Normalization(name));
        await waypoint.StartAsync();
        Configure(waypoint, name);
        var identity = scenario.DefaultIdentity;
        var entries = new Dictionary<(IPAddress, int), IPEndPoint>();
        foreach (var recorded in scenario.Cases)
        {
            var id = (string)recorded["id"]!;
            var differences = await RunAsync(recorded);

            // A step of some 100 ms may come late on a busy machine; what is wrong is wrong every time.
            for (var again = 0; again < 3 && name == "03-timeouts" && differences is { Count: > 0 } && !known.ContainsKey(id); again++)
                differences = await RunAsync(recorded);
            if (differences is null)
                counts.Skipped++;
            else if (differences.Count == 0 && !known.ContainsKey(id))
                counts.Same++;
            else if (known.TryGetValue(id, out var entry) && (differences.Count > 0 || entry.Sometimes))
                counts.Known++;
            else
                failures.Add(differences.Count == 0 ? $"{id}: agrees now; remove it from KnownDifferences.txt" : $"{id}: {string.Join("; ", differences)}");
        }

        output.WriteLine($"{name}: {counts.Same} as recorded, {counts.Known} known differences, {counts.Skipped} not replayed here (HTTP/2, raw bytes, slow, informational)");
        Assert.True(failures.Count == 0, $"{failures.Count} of {scenario.Cases.Count()} differ:\n{string.Join('\n', failures)}");
        return;

        async Task<List<string>?> RunAsync(JsonNode recorded)
        {
            var steps = recorded["steps"]!.AsArray();
            if ((bool?)recorded["slow"] == true || (bool?)recorded["informational"] == true || steps.Any(s => s!["request"] is { } r && (((string?)r["proto"] == "h2" || r["raw"] is not null || scenario.SpeaksHttp2((string)r["service"]!)))))
                return null;
            var differences = new List<string>();
            for (var i = 0; i < steps.Count; i++)
                differences.AddRange(await StepAsync(steps[i]!, $"{recorded["id"]}#{i}"));
            return differences;
        }

        async Task<IEnumerable<string>> StepAsync(JsonNode step, string key)
        {
            switch ((string?)step["do"])
            {
                case "sleep":
                    await Task.Delay((int)step["ms"]!);
                    return [];
                case "instance":
                    await instances.SetStateAsync((string)step["name"]!, (string)step["state"]!);
                    return [];
            }

            var request = step["request"]!;
            var service = scenario.Services.First(s => s.Name == (string)request["service"]!);
            var destination = (service.Vip, (int?)request["port"] ?? service.Port);
            identity = (string?)request["identity"] ?? scenario.DefaultIdentity;
            if (!entries.TryGetValue(destination, out var entry))
                entries[destination] = entry = waypoint.Serve(new OriginalDestination(destination.Vip, destination.Item2), () => identity);
            instances.Script(step["script"]);
            var repeat = (int?)step["repeat"] ?? 1;
            if (repeat == 1)
            {
                var seen = await RecordedClient.SendAsync(entry, request, service.Host, key, 0);
                await Task.Delay((int?)step["settle_ms"] ?? 30);
                seen.Attempts.AddRange(instances.Take(key, "0"));
                return Comparison.Single(step, step["observed"]!, seen);
            }

            var results = await ManyAsync(step, request, entry, service.Host, key, repeat);
            await Task.Delay((int?)step["settle_ms"] ?? 100);
            for (var i = 0; i < repeat; i++)
                results[i].Attempts.AddRange(instances.Take(key, i.ToString(CultureInfo.InvariantCulture)));
            return Comparison.Repeated(step, step["observed"]!, results);
        }
    }

    private static async Task<Seen[]> ManyAsync(JsonNode step, JsonNode request, IPEndPoint entry, string host, string key, int repeat)
    {
        var results = new Seen[repeat];
        var next = -1;
        await Task.WhenAll(Enumerable.Range(0, (int?)step["parallel"] ?? 1).Select(async _ =>
        {
            while (Interlocked.Increment(ref next) is var i && i < repeat)
            {
                var one = request.DeepClone();
                foreach (var (name, value) in Scenario.Headers(step["vary"]))
                {
                    one["headers"] ??= new JsonArray();
                    one["headers"]!.AsArray().Add(new JsonArray(name, value.Replace("{i}", i.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)));
                }

                await Task.Delay((int?)step["pause_ms"] ?? 0);
                results[i] = await RecordedClient.SendAsync(entry, one, host, key, i);
            }
        }));
        return results;
    }

    private static void Configure(TestWaypoint waypoint, string name)
    {
        var resources = Directory.GetFiles(Scenario.FolderOf(name), "*.yaml").Order(StringComparer.Ordinal)
            .SelectMany(f => ParsedFile.Parse(Path.GetFileName(f), File.ReadAllBytes(f)).Resources);
        var errors = new List<string>();
        var settings = MeshSettings.FromEnvironment(new Hashtable(), errors);
        var translated = MeshTranslator.Translate(new ResourceSet(resources), settings, AddressBook.Empty);
        var configuration = translated.Waypoints["shop/waypoint"];
        Assert.Empty(waypoint.Configuration.ApplyClusters(configuration.Clusters.Select(c => (c.Key, Moved((V1.Cluster)c.Value))), []));
        Assert.Empty(waypoint.Configuration.ApplyPolicies(configuration.Policies.Select(p => (p.Key, (V1.RequestPolicy)p.Value)), []));
        Assert.Empty(waypoint.Configuration.ApplyServices(configuration.Services.Select(s => (s.Key, (V1.Service)s.Value)), []));
    }

    // Two runs on one machine must not meet on the instances' fixed addresses; and the recorded proxy was Envoy's arithmetic exactly.
    private static V1.Cluster Moved(V1.Cluster cluster)
    {
        var moved = cluster.Clone();
        foreach (var endpoint in moved.Endpoints.Where(e => e.Address.Length == 4))
            endpoint.Address = ByteString.CopyFrom(Elsewhere(new IPAddress(endpoint.Address.Span)).GetAddressBytes());
        if (moved.OutlierDetection is { } outlier)
            outlier.AlwaysEjectOne = false;
        return moved;
    }

    private static IPAddress Elsewhere(IPAddress address)
    {
        var bytes = address.GetAddressBytes();
        bytes[1] = (byte)(100 + (Environment.ProcessId % 100));
        return new IPAddress(bytes);
    }

    private static PathNormalization Normalization(string scenario) => scenario switch
    {
        "14-path-merge-slashes" => PathNormalization.MergeSlashes,
        "15-path-decode-and-merge-slashes" => PathNormalization.DecodeAndMergeSlashes,
        _ => PathNormalization.Base,
    };
}
