using FsCheck.Xunit;
using Mesh.Model.Collections;

namespace Mesh.Model.Tests.Collections;

public sealed class PersistentMapTests
{
    /// <summary>Few distinct hashes: collisions at every depth, also beyond the last level.</summary>
    private readonly record struct Clashing(int Value)
    {
        public override int GetHashCode() => Value % 7;
    }

    [Property(MaxTest = 300)]
    public bool Map_AfterAnyChanges_EqualsADictionary((byte Key, bool Remove)[] steps)
    {
        var map = PersistentMap<Clashing, int>.Empty;
        var expected = new Dictionary<Clashing, int>();
        var versions = new List<(PersistentMap<Clashing, int> Map, Dictionary<Clashing, int> Expected)>();
        for (var i = 0; i < steps.Length; i++)
        {
            var key = new Clashing(steps[i].Key);
            if (steps[i].Remove)
            {
                map = map.Remove(key);
                expected.Remove(key);
            }
            else
            {
                map = map.Set(key, i);
                expected[key] = i;
            }

            versions.Add((map, new(expected)));
        }

        // Every version stays what it was, however much came after it.
        return versions.TrueForAll(v => Same(v.Map, v.Expected));
    }

    [Property(MaxTest = 300)]
    public bool Builder_ManyChanges_LeavesTheOriginAlone(int[] before, (int Key, bool Remove)[] steps)
    {
        var origin = PersistentMap<int, int>.Empty;
        var originExpected = new Dictionary<int, int>();
        foreach (var key in before)
        {
            origin = origin.Set(key, key);
            originExpected[key] = key;
        }

        var builder = origin.ToBuilder();
        var expected = new Dictionary<int, int>(originExpected);
        PersistentMap<int, int>? middle = null;
        Dictionary<int, int>? middleExpected = null;
        for (var i = 0; i < steps.Length; i++)
        {
            if (i == steps.Length / 2)
                (middle, middleExpected) = (builder.ToMap(), new(expected));
            if (steps[i].Remove)
            {
                Assert.Equal(expected.Remove(steps[i].Key), builder.Remove(steps[i].Key));
            }
            else
            {
                builder[steps[i].Key] = i;
                expected[steps[i].Key] = i;
            }
        }

        return Same(builder.ToMap(), expected) && Same(origin, originExpected) && (middle is null || Same(middle, middleExpected!));
    }

    [Fact]
    public void Set_OneOfManyKeys_CopiesOnlyTheWayToIt()
    {
        var builder = PersistentMap<int, string>.Empty.ToBuilder();
        for (var i = 0; i < 100_000; i++)
            builder[i] = "a";
        var map = builder.ToMap();
        _ = map.Set(5, "warm");

        var before = GC.GetAllocatedBytesForCurrentThread();
        var changed = map.Set(77_777, "b");
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.Equal("b", changed.GetValueOrDefault(77_777));
        Assert.Equal("a", map.GetValueOrDefault(77_777));
        // Four or five levels of at most 32 slots; copying everything would be megabytes.
        Assert.InRange(allocated, 1, 8 * 1024);
    }

    [Fact]
    public void Builder_WithoutChange_GivesTheSameMap()
    {
        var map = PersistentMap<string, int>.Empty.Set("a", 1);
        var builder = map.ToBuilder();
        builder.Remove("b");
        Assert.Same(map, builder.ToMap());
    }

    [Fact]
    public void TryGetValue_Allocates_Nothing()
    {
        var map = PersistentMap<string, int>.Empty.Set("a", 1).Set("b", 2);
        map.TryGetValue("a", out _);

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++)
            map.TryGetValue("a", out _);

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static bool Same<TKey>(PersistentMap<TKey, int> map, Dictionary<TKey, int> expected)
        where TKey : notnull, IEquatable<TKey> =>
        map.Count == expected.Count
        && map.ToHashSet().SetEquals(expected) && map.Keys.Count() == expected.Count
        && expected.All(p => map.TryGetValue(p.Key, out var value) && value == p.Value);
}
