using System.Collections;
using System.Diagnostics.CodeAnalysis;

namespace Mesh.Model.Collections;

/// <summary>
/// An immutable hash map (a trie with 32-way nodes): a change copies the few nodes on the way to the key and shares the rest, so that
/// one changed pod among a hundred thousand costs microseconds and the snapshot before it stays whole for whoever still reads it.
/// </summary>
[SuppressMessage("Naming", "CA1710:Identifiers should have correct suffix", Justification = "It is a map; the word Dictionary would promise mutation.")]
public sealed class PersistentMap<TKey, TValue> : IReadOnlyCollection<KeyValuePair<TKey, TValue>>
    where TKey : notnull, IEquatable<TKey>
{
    internal PersistentMap(TrieNode<TKey, TValue> root, int count)
    {
        Root = root;
        Count = count;
    }

    public static PersistentMap<TKey, TValue> Empty { get; } = new(TrieNode<TKey, TValue>.Empty, 0);

    public int Count { get; }

    public bool IsEmpty => Count == 0;

    internal TrieNode<TKey, TValue> Root { get; }

    public IEnumerable<TValue> Values
    {
        get
        {
            foreach (var (_, value) in this)
                yield return value;
        }
    }

    public IEnumerable<TKey> Keys
    {
        get
        {
            foreach (var (key, _) in this)
                yield return key;
        }
    }

    public TValue? GetValueOrDefault(TKey key) => TryGetValue(key, out var value) ? value : default;

    public bool ContainsKey(TKey key) => TryGetValue(key, out _);

    public bool TryGetValue(TKey key, [MaybeNullWhen(false)] out TValue value) => Root.TryGet(key, TrieNode<TKey, TValue>.HashOf(key), out value);

    public PersistentMap<TKey, TValue> Set(TKey key, TValue value)
    {
        var builder = ToBuilder();
        builder[key] = value;
        return builder.ToMap();
    }

    public PersistentMap<TKey, TValue> Remove(TKey key)
    {
        var builder = ToBuilder();
        builder.Remove(key);
        return builder.ToMap();
    }

    public Builder ToBuilder() => new(this);

    public IEnumerator<KeyValuePair<TKey, TValue>> GetEnumerator()
    {
        var pending = new Stack<TrieNode<TKey, TValue>>();
        pending.Push(Root);
        while (pending.TryPop(out var node))
        {
            foreach (var entry in node.Entries)
                yield return new(entry.Key, entry.Value);
            foreach (var child in node.Children)
                pending.Push(child);
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>Many changes at once: nodes made by this builder are changed in place, nodes of the map it came from never are.</summary>
    public sealed class Builder
    {
        private readonly PersistentMap<TKey, TValue> _origin;
        private object _owner = new();
        private TrieNode<TKey, TValue> _root;
        private int _count;

        internal Builder(PersistentMap<TKey, TValue> origin)
        {
            _origin = origin;
            _root = origin.Root;
            _count = origin.Count;
        }

        public int Count => _count;

        public TValue this[TKey key]
        {
            set
            {
                _root = _root.Set(new(TrieNode<TKey, TValue>.HashOf(key), key, value), 0, _owner, out var added);
                _count += added ? 1 : 0;
            }
        }

        public bool TryGetValue(TKey key, [MaybeNullWhen(false)] out TValue value) => _root.TryGet(key, TrieNode<TKey, TValue>.HashOf(key), out value);

        public TValue? GetValueOrDefault(TKey key) => TryGetValue(key, out var value) ? value : default;

        public bool Remove(TKey key)
        {
            _root = _root.Remove(key, TrieNode<TKey, TValue>.HashOf(key), 0, _owner, out var removed);
            _count -= removed ? 1 : 0;
            return removed;
        }

        public PersistentMap<TKey, TValue> ToMap()
        {
            if (ReferenceEquals(_root, _origin.Root))
                return _origin;
            // From here on the nodes belong to the map: a later change through this builder must copy them.
            _owner = new();
            return _count == 0 ? Empty : new(_root, _count);
        }
    }
}
