using System.Globalization;
using Mesh.Kubernetes.Objects;

namespace Mesh.Kubernetes.Informers;

/// <summary>What one event or list did to one object: before null is a creation, after null a deletion.</summary>
public readonly record struct InformerChange<T>(ObjectKey Key, T? Before, T? After)
    where T : class;

/// <summary>What an event turned out to be.</summary>
internal enum EventOutcome
{
    Applied,
    /// <summary>Known already.</summary>
    Duplicate,
    /// <summary>Older than something that was seen before it: a server that orders wrongly may also have left something out.</summary>
    Disordered,
}

/// <summary>
/// The objects of one kind as the API server last showed them. Per object the highest resourceVersion counts, whatever the order in which events
/// arrive, so that a server that repeats or reorders cannot bring an old state back. One thread.
/// </summary>
internal sealed class InformerStore<T>
    where T : class
{
    // An event that is late by more deletions than this, between two lists, could bring an object back until the next list.
    private const int MostTombstones = 4096;

    private readonly Dictionary<ObjectKey, Entry> _objects = [];
    private readonly Dictionary<ObjectKey, ulong> _deleted = [];
    private ulong _highest;

    private readonly record struct Entry(ulong Version, T? Value);

    public int Count => _objects.Count;

    public IEnumerable<KeyValuePair<ObjectKey, T>> Items
    {
        get
        {
            foreach (var (key, entry) in _objects)
            {
                if (entry.Value is { } value)
                    yield return new(key, value);
            }
        }
    }

    public T? Find(ObjectKey key) => _objects.GetValueOrDefault(key).Value;

    /// <summary>Zero: not a number. The API promises numbers that grow since 1.35 and has always sent them.</summary>
    public static ulong VersionOf(string resourceVersion) => ulong.TryParse(resourceVersion, NumberStyles.None, CultureInfo.InvariantCulture, out var version) ? version : 0;

    /// <param name="value">Null: the decoder has no use for this object; it is remembered without content.</param>
    public EventOutcome Put(ObjectKey key, string resourceVersion, T? value, Action<InformerChange<T>> changed)
    {
        var version = VersionOf(resourceVersion);
        var known = _objects.TryGetValue(key, out var entry);
        var seen = known ? entry.Version : _deleted.GetValueOrDefault(key);
        if (version != 0 && version <= seen)
            return version == seen ? EventOutcome.Duplicate : EventOutcome.Disordered;
        var outcome = Advance(version);
        _objects[key] = new Entry(version, value);
        _deleted.Remove(key);
        if (entry.Value is not null || value is not null)
            changed(new InformerChange<T>(key, entry.Value, value));
        return outcome;
    }

    public EventOutcome Remove(ObjectKey key, string resourceVersion, Action<InformerChange<T>> changed)
    {
        var version = VersionOf(resourceVersion);
        var known = _objects.TryGetValue(key, out var entry);
        var seen = known ? entry.Version : _deleted.GetValueOrDefault(key);
        if (version != 0 && version < seen)
            return EventOutcome.Disordered;
        // A deletion that carries the object's last version (old servers) deletes it.
        if (!known && version == seen)
            return EventOutcome.Duplicate;
        var outcome = Advance(version);
        _objects.Remove(key);
        if (_deleted.Count >= MostTombstones)
            _deleted.Clear();
        _deleted[key] = version;
        if (entry.Value is { } before)
            changed(new InformerChange<T>(key, before, null));
        return outcome;
    }

    /// <summary>A list is the truth: what it does not name is deleted, whatever was missed.</summary>
    public void Replace(Dictionary<ObjectKey, (string ResourceVersion, T? Value)> list, Action<InformerChange<T>> changed)
    {
        var gone = _objects.Keys.Where(k => !list.ContainsKey(k)).ToList();
        _deleted.Clear();
        _highest = 0;
        foreach (var key in gone)
        {
            _objects.Remove(key, out var entry);
            if (entry.Value is { } before)
                changed(new InformerChange<T>(key, before, null));
        }
        foreach (var (key, (resourceVersion, value)) in list)
        {
            var version = VersionOf(resourceVersion);
            var known = _objects.TryGetValue(key, out var entry);
            _highest = Math.Max(_highest, version);
            if (known && version != 0 && version == entry.Version)
                continue;
            _objects[key] = new Entry(version, value);
            if (entry.Value is not null || value is not null)
                changed(new InformerChange<T>(key, entry.Value, value));
        }
    }

    private EventOutcome Advance(ulong version)
    {
        if (version == 0)
            return EventOutcome.Applied;
        if (version < _highest)
            return EventOutcome.Disordered;
        _highest = version;
        return EventOutcome.Applied;
    }
}
