using System.Text.Json.Nodes;
using FsCheck.Xunit;
using Mesh.IstiodLite.Admin;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Translation;
using Mesh.IstiodLite.Translation.Incremental;

namespace Mesh.IstiodLite.Tests.Translation.Incremental;

public sealed class IncrementalTests
{
    [Fact]
    public void Universe_HasEveryVersion_Read() => Assert.All(Universe.Versions, Assert.NotNull);

    /// <summary>The slow model is the translation from scratch, which knows nothing of what was before but the addresses given out.</summary>
    [Property(MaxTest = 40)]
    public void AnySequenceOfChanges_AppliedOneByOne_EqualsTheEndStateFromScratch(int seed, bool standalone, bool autoAllow)
    {
        var random = new Random(seed);
        var settings = new MeshSettings { Standalone = standalone, AutoAllowWaypoint = autoAllow };
        var translation = new MeshTranslation(settings, AddressBook.Empty);
        var documents = new ResourceSet(Universe.Keys.Where(_ => random.Next(4) > 0).Select(k => Universe.AnyVersion(k, random)));
        var current = translation.Apply(documents, []);
        Same(MeshTranslator.Translate(documents, settings, AddressBook.Empty), current, "the start");
        for (var step = 0; step < 40; step++)
        {
            var before = current;
            var set = Changes(documents, Step(random));
            documents = documents.With(set);
            current = translation.Apply(documents, set);
            var what = string.Join(", ", set.Select(c => $"{(c.Before is null ? "+" : c.After is null ? "-" : "~")}{c.Key}"));
            Same(MeshTranslator.Translate(documents, settings, before.Book), current, what);
            Told(before, current, what);
        }
    }

    [Fact]
    public void PodThatIsNotReady_ChangesItselfAndTheClustersItServes_AndNothingElse()
    {
        var documents = new ResourceSet(Documents.Parse(
            Documents.PaymentService + Documents.PaymentWaypoint + Documents.PaymentService.Replace("payment", "order", StringComparison.Ordinal)
            + Documents.Pod("p1", "payment", "198.18.1.1") + Documents.Pod("p2", "payment", "198.18.1.2") + Documents.Pod("o1", "order", "198.18.1.3", "app: order")).Resources);
        var translation = new MeshTranslation(new MeshSettings { Standalone = true }, AddressBook.Empty);
        var before = translation.Apply(documents, []);
        var pod = Documents.Parse(Documents.Pod("p1", "payment", "198.18.1.1").Replace("\"True\"", "\"False\"", StringComparison.Ordinal)).Resources[0];
        var changes = Changes(documents, [pod]);
        var after = translation.Apply(documents.With(changes), changes);
        Assert.Equal(["Kubernetes//Pod/default/p1"], after.Changes!.Addresses);
        Assert.Empty(after.Changes.Authorizations);
        var waypoint = Assert.Single(after.Changes.Waypoints);
        Assert.Equal(["default/payment.default.svc.cluster.local|80|"], waypoint.Value.Clusters);
        Assert.Empty(waypoint.Value.Services);
        Assert.Same(before.StatusSource, after.StatusSource);
        Assert.All(before.Addresses.Where(a => a.Key != "Kubernetes//Pod/default/p1"), a => Assert.Same(a.Value, after.Addresses[a.Key]));
        var (was, isNow) = (before.Waypoints["default/payment-waypoint"], after.Waypoints["default/payment-waypoint"]);
        Assert.All(was.Services, s => Assert.Same(s.Value, isNow.Services[s.Key]));
        Assert.All(was.Clusters.Where(c => !waypoint.Value.Clusters.Contains(c.Key)), c => Assert.Same(c.Value, isNow.Clusters[c.Key]));
    }

    [Fact]
    public void DocumentThatSaysTheSame_ChangesNothing()
    {
        var documents = new ResourceSet(Documents.Parse(Documents.PaymentService + Documents.PaymentWaypoint + Documents.Pod("p1", "payment", "198.18.1.1")).Resources);
        var translation = new MeshTranslation(new MeshSettings { Standalone = true }, AddressBook.Empty);
        translation.Apply(documents, []);
        var changes = Changes(documents, [.. Documents.Parse(Documents.PaymentService + Documents.PaymentWaypoint + Documents.Pod("p1", "payment", "198.18.1.1")).Resources]);
        var after = translation.Apply(documents.With(changes), changes);
        Assert.Equal(3, changes.Count);
        Assert.Empty(after.Changes!.Addresses);
        Assert.Empty(after.Changes.Authorizations);
        Assert.Empty(after.Changes.Waypoints);
    }

    private sealed record Removal(ResourceKey Key);

    /// <summary>Mostly one object: in some version, or gone. Sometimes several at once.</summary>
    private static List<object> Step(Random random)
    {
        var step = new List<object>();
        do
        {
            var key = Universe.Keys[random.Next(Universe.Keys.Count)];
            step.Add(random.Next(4) == 0 ? new Removal(key) : Universe.AnyVersion(key, random));
        }
        while (random.Next(5) == 0);
        return step;
    }

    private static List<ResourceChange> Changes(ResourceSet documents, IReadOnlyList<object> step)
    {
        var after = new Dictionary<ResourceKey, Resource?>();
        foreach (var item in step)
            after[item is Resource resource ? resource.Key : ((Removal)item).Key] = item as Resource;
        return [.. after
            .Select(a => new ResourceChange(documents.Find<Resource>(a.Key.Kind, a.Key.Namespace, a.Key.Name), a.Value))
            .Where(c => !ReferenceEquals(c.Before, c.After))];
    }

    private static void Same(Translated expected, Translated actual, string what)
    {
        var (a, b) = (TranslationJson.Of(expected), TranslationJson.Of(actual));
        foreach (var part in a)
        {
            var difference = Review.JsonDifference.Between(part.Value, b[part.Key]).FirstOrDefault();
            Assert.True(difference is null, $"after {what}: {part.Key} differs from what comes from scratch at {difference}");
        }
        Assert.Equal(expected.Book.Entries, actual.Book.Entries);
    }

    /// <summary>Exactly what differs is told as changed.</summary>
    private static void Told(Translated before, Translated after, string what)
    {
        var told = after.Changes!;
        Equal(Differing(TranslationJson.Addresses(before), TranslationJson.Addresses(after)), told.Addresses, what);
        Equal(Differing(TranslationJson.Authorizations(before), TranslationJson.Authorizations(after)), told.Authorizations, what);
        foreach (var id in before.Waypoints.Keys.Union(after.Waypoints.Keys, StringComparer.Ordinal))
        {
            var (a, b) = (before.Waypoints.GetValueOrDefault(id), after.Waypoints.GetValueOrDefault(id));
            var changes = told.Waypoints.GetValueOrDefault(id) ?? new WaypointChanges([], [], []);
            Equal(Differing(a?.Services, b?.Services), changes.Services, what);
            Equal(Differing(a?.Clusters, b?.Clusters), changes.Clusters, what);
            Equal(Differing(a?.Policies, b?.Policies), changes.Policies, what);
        }
    }

    private static void Equal(IEnumerable<string> expected, IEnumerable<string> told, string what)
    {
        var (a, b) = (expected.Order(StringComparer.Ordinal).ToList(), told.Order(StringComparer.Ordinal).ToList());
        Assert.True(a.SequenceEqual(b, StringComparer.Ordinal), $"after {what}: changed are {string.Join(", ", a)}, told were {string.Join(", ", b)}");
    }

    private static IEnumerable<string> Differing(JsonArray before, JsonArray after)
    {
        var (a, b) = (before.ToDictionary(n => (string)n!["name"]!, n => n!["resource"]), after.ToDictionary(n => (string)n!["name"]!, n => n!["resource"]));
        return a.Keys.Union(b.Keys, StringComparer.Ordinal).Where(k => !JsonNode.DeepEquals(a.GetValueOrDefault(k), b.GetValueOrDefault(k)));
    }

    private static IEnumerable<string> Differing(IReadOnlyDictionary<string, Google.Protobuf.IMessage>? before, IReadOnlyDictionary<string, Google.Protobuf.IMessage>? after) =>
        (before?.Keys ?? []).Union(after?.Keys ?? [], StringComparer.Ordinal).Where(k => !Equals(before?.GetValueOrDefault(k), after?.GetValueOrDefault(k)));
}
