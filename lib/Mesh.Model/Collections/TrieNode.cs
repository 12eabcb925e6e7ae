using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Numerics;

namespace Mesh.Model.Collections;

internal readonly record struct TrieEntry<TKey, TValue>(uint Hash, TKey Key, TValue Value);

/// <summary>One level of <see cref="PersistentMap{TKey,TValue}"/>: five bits of the hash choose an entry or a child; bitmaps say which slots are taken.</summary>
/// <remarks>Below the last level (all 32 bits used) a node is a plain list of entries whose hashes are equal.</remarks>
internal sealed class TrieNode<TKey, TValue>
    where TKey : notnull, IEquatable<TKey>
{
    private const int BitsPerLevel = 5;
    private const int HashBits = 32;

    private readonly object? _owner;
    private uint _entryMap;
    private uint _childMap;

    private TrieNode(object? owner, uint entryMap, uint childMap, TrieEntry<TKey, TValue>[] entries, TrieNode<TKey, TValue>[] children)
    {
        _owner = owner;
        _entryMap = entryMap;
        _childMap = childMap;
        Entries = entries;
        Children = children;
    }

    public static TrieNode<TKey, TValue> Empty { get; } = new(null, 0, 0, [], []);

    public TrieEntry<TKey, TValue>[] Entries { get; private set; }

    public TrieNode<TKey, TValue>[] Children { get; private set; }

    /// <summary>Spreads the key's own hash: addresses of one subnet differ in few bits only.</summary>
    public static uint HashOf(TKey key)
    {
        var hash = (uint)key.GetHashCode();
        hash = (hash ^ (hash >> 16)) * 0x85EBCA6B;
        return hash ^ (hash >> 13);
    }

    public bool TryGet(TKey key, uint hash, [MaybeNullWhen(false)] out TValue value)
    {
        var node = this;
        for (var shift = 0; shift < HashBits; shift += BitsPerLevel)
        {
            var bit = Bit(hash, shift);
            if ((node._entryMap & bit) != 0)
            {
                ref readonly var entry = ref node.Entries[Index(node._entryMap, bit)];
                var found = entry.Hash == hash && entry.Key.Equals(key);
                value = found ? entry.Value : default;
                return found;
            }

            if ((node._childMap & bit) == 0)
            {
                value = default;
                return false;
            }

            node = node.Children[Index(node._childMap, bit)];
        }

        foreach (ref readonly var entry in node.Entries.AsSpan())
        {
            if (entry.Key.Equals(key))
            {
                value = entry.Value;
                return true;
            }
        }

        value = default;
        return false;
    }

    public TrieNode<TKey, TValue> Set(in TrieEntry<TKey, TValue> entry, int shift, object owner, out bool added)
    {
        if (shift >= HashBits)
            return SetInList(entry, owner, out added);

        var bit = Bit(entry.Hash, shift);
        if ((_childMap & bit) != 0)
        {
            var at = Index(_childMap, bit);
            var child = Children[at].Set(entry, shift + BitsPerLevel, owner, out added);
            return ReferenceEquals(child, Children[at]) ? this : With(owner, _entryMap, _childMap, Entries, Replace(Children, at, child, owner));
        }

        var index = Index(_entryMap, bit);
        if ((_entryMap & bit) == 0)
        {
            added = true;
            return With(owner, _entryMap | bit, _childMap, Insert(Entries, index, entry), Children);
        }

        var present = Entries[index];
        if (present.Hash == entry.Hash && present.Key.Equals(entry.Key))
        {
            added = false;
            return With(owner, _entryMap, _childMap, Replace(Entries, index, entry, owner), Children);
        }

        // Two keys share this slot: both move one level down.
        added = true;
        var below = Empty.Set(present, shift + BitsPerLevel, owner, out _).Set(entry, shift + BitsPerLevel, owner, out _);
        var childMap = _childMap | bit;
        return With(owner, _entryMap & ~bit, childMap, Without(Entries, index), Insert(Children, Index(childMap, bit), below));
    }

    public TrieNode<TKey, TValue> Remove(TKey key, uint hash, int shift, object owner, out bool removed)
    {
        if (shift >= HashBits)
            return RemoveFromList(key, owner, out removed);

        var bit = Bit(hash, shift);
        if ((_entryMap & bit) != 0)
        {
            var at = Index(_entryMap, bit);
            removed = Entries[at].Hash == hash && Entries[at].Key.Equals(key);
            return removed ? With(owner, _entryMap & ~bit, _childMap, Without(Entries, at), Children) : this;
        }

        if ((_childMap & bit) == 0)
        {
            removed = false;
            return this;
        }

        var index = Index(_childMap, bit);
        var child = Children[index].Remove(key, hash, shift + BitsPerLevel, owner, out removed);
        if (!removed)
            return this;
        Debug.Assert(child.Entries.Length + child.Children.Length > 0, "a child holds at least two entries");
        if (child.Children.Length > 0 || child.Entries.Length > 1)
            return With(owner, _entryMap, _childMap, Entries, Replace(Children, index, child, owner));

        // A child with one entry left is pulled up, so that equal contents have equal shape.
        var entryMap = _entryMap | bit;
        return With(owner, entryMap, _childMap & ~bit, Insert(Entries, Index(entryMap, bit), child.Entries[0]), Without(Children, index));
    }

    private TrieNode<TKey, TValue> SetInList(in TrieEntry<TKey, TValue> entry, object owner, out bool added)
    {
        for (var i = 0; i < Entries.Length; i++)
        {
            if (Entries[i].Key.Equals(entry.Key))
            {
                added = false;
                return With(owner, 0, 0, Replace(Entries, i, entry, owner), Children);
            }
        }

        added = true;
        return With(owner, 0, 0, Insert(Entries, Entries.Length, entry), Children);
    }

    private TrieNode<TKey, TValue> RemoveFromList(TKey key, object owner, out bool removed)
    {
        var at = Array.FindIndex(Entries, e => e.Key.Equals(key));
        removed = at >= 0;
        return removed ? With(owner, 0, 0, Without(Entries, at), Children) : this;
    }

    private TrieNode<TKey, TValue> With(object owner, uint entryMap, uint childMap, TrieEntry<TKey, TValue>[] entries, TrieNode<TKey, TValue>[] children)
    {
        // A new node never shares an array with the node it came from: its owner will change the arrays in place.
        if (!ReferenceEquals(_owner, owner))
            return new(owner, entryMap, childMap, Own(entries, Entries), Own(children, Children));
        _entryMap = entryMap;
        _childMap = childMap;
        Entries = entries;
        Children = children;
        return this;
    }

    private static T[] Own<T>(T[] items, T[] mine) => ReferenceEquals(items, mine) && items.Length > 0 ? (T[])items.Clone() : items;

    private static uint Bit(uint hash, int shift) => 1u << (int)((hash >> shift) & 31);

    private static int Index(uint map, uint bit) => BitOperations.PopCount(map & (bit - 1));

    private T[] Replace<T>(T[] items, int index, T item, object owner)
    {
        var target = ReferenceEquals(_owner, owner) ? items : (T[])items.Clone();
        target[index] = item;
        return target;
    }

    private static T[] Insert<T>(T[] items, int index, T item)
    {
        var copy = new T[items.Length + 1];
        items.AsSpan(0, index).CopyTo(copy);
        copy[index] = item;
        items.AsSpan(index).CopyTo(copy.AsSpan(index + 1));
        return copy;
    }

    private static T[] Without<T>(T[] items, int index)
    {
        if (items.Length == 1)
            return [];
        var copy = new T[items.Length - 1];
        items.AsSpan(0, index).CopyTo(copy);
        items.AsSpan(index + 1).CopyTo(copy.AsSpan(index));
        return copy;
    }
}
