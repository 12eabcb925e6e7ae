using System.Text.Json.Nodes;

namespace Mesh.Testing.Kubernetes.Storage;

/// <summary>One version of one object. The body is never changed after it is stored.</summary>
public sealed record StoredObject(string Namespace, string Name, ulong Revision, JsonObject Body)
{
    public string Uid => (string?)Body["metadata"]?["uid"] ?? string.Empty;
}

public sealed record LoggedEvent(string Type, StoredObject? Before, StoredObject After);

/// <summary>The objects of one kind, in the order of a list, with what happened to them. Under the gate of <see cref="ApiStore"/>.</summary>
internal sealed class ObjectTable(ServedKind kind)
{
    private static readonly Comparer<(string, string)> _order = Comparer<(string, string)>.Create((a, b) =>
        string.CompareOrdinal(a.Item1, b.Item1) is var byNamespace && byNamespace != 0 ? byNamespace : string.CompareOrdinal(a.Item2, b.Item2));

    public ServedKind Kind { get; set; } = kind;
    public SortedDictionary<(string Namespace, string Name), StoredObject> Objects { get; } = new(_order);
    public List<LoggedEvent> History { get; } = [];

    /// <summary>A watch from before this is too old.</summary>
    public ulong Forgotten { get; set; }
    public bool IsGone { get; set; }
    public TaskCompletionSource Changed { get; set; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // As a real server's watch cache, this one forgets.
    private const int MostHistory = 50_000;

    public void Log(LoggedEvent item)
    {
        if (History.Count >= MostHistory)
        {
            Forgotten = History[(MostHistory / 2) - 1].After.Revision;
            History.RemoveRange(0, MostHistory / 2);
        }
        History.Add(item);
        Signal();
    }

    public void Signal()
    {
        var waiting = Changed;
        Changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        waiting.TrySetResult();
    }
}
