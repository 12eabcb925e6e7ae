namespace Mesh.Model.Collections;

/// <summary>Index entries that are short arrays in order of arrival. Every change makes a new array, because snapshots share the old one.</summary>
internal static class ArrivalLists
{
    public static void Append<TKey, TItem>(this PersistentMap<TKey, TItem[]>.Builder map, TKey key, TItem item)
        where TKey : notnull, IEquatable<TKey> =>
        map[key] = map.TryGetValue(key, out var present) ? [.. present, item] : [item];

    public static void RemoveOne<TKey, TItem>(this PersistentMap<TKey, TItem[]>.Builder map, TKey key, TItem item)
        where TKey : notnull, IEquatable<TKey>
        where TItem : class
    {
        if (!map.TryGetValue(key, out var present))
            return;
        TItem[] rest = [.. present.Where(p => !ReferenceEquals(p, item))];
        if (rest.Length == 0)
            map.Remove(key);
        else
            map[key] = rest;
    }
}
