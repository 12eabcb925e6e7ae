using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Mesh.Kubernetes.Informers;
using Mesh.Kubernetes.Objects;

namespace Mesh.Kubernetes.Tests.Informers;

/// <summary>Whatever the order and however often events come, the store ends with what the server has.</summary>
public sealed class InformerStoreTests
{
    /// <summary>A history of a few objects, delivered out of order and with repetitions, against the slow truth: the last event per object.</summary>
    [Property(MaxTest = 300)]
    public Property AnyOrderAndRepetition_EndsInTheTruth()
    {
        var histories = Gen.ListOf(Gen.Choose(0, 9)).Select(Build);
        return Prop.ForAll(Arb.From(from history in histories from order in Gen.Shuffle(history.Concat(history).ToArray()) select (history, order)), pair =>
        {
            var store = new InformerStore<string>();
            var seen = new Dictionary<ObjectKey, string>();
            foreach (var (key, version, value) in pair.order)
            {
                if (value is null)
                    store.Remove(key, $"{version}", c => Follow(seen, c));
                else
                    store.Put(key, $"{version}", value, c => Follow(seen, c));
            }
            var truth = pair.history.GroupBy(e => e.Key).Select(g => g.MaxBy(e => e.Version)).Where(e => e.Value is not null).ToDictionary(e => e.Key, e => e.Value!);
            return seen.Count == truth.Count && truth.All(t => seen[t.Key] == t.Value) && store.Items.Count() == truth.Count;
        });
    }

    [Fact]
    public void List_IsTheTruth_EvenWithLowerVersions()
    {
        var store = new InformerStore<string>();
        var key = new ObjectKey("", "a");
        store.Put(key, "100", "old", _ => { });

        store.Replace(new() { [key] = ("50", "restored") }, _ => { });

        Assert.Equal("restored", store.Find(key));
        Assert.Equal(EventOutcome.Applied, store.Put(key, "51", "next", _ => { }));
    }

    private static void Follow(Dictionary<ObjectKey, string> seen, InformerChange<string> change)
    {
        Assert.Equal(seen.GetValueOrDefault(change.Key), change.Before);
        if (change.After is null)
            seen.Remove(change.Key);
        else
            seen[change.Key] = change.After;
    }

    /// <summary>Digits choose an object (0-4) and whether it is written or deleted.</summary>
    private static List<(ObjectKey Key, ulong Version, string? Value)> Build(IEnumerable<int> choices)
    {
        var history = new List<(ObjectKey, ulong, string?)>();
        ulong version = 10;
        foreach (var choice in choices)
        {
            version++;
            history.Add((new ObjectKey("ns", $"o{choice % 5}"), version, choice >= 7 ? null : $"v{version}"));
        }
        return history;
    }
}
