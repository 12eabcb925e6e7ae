using System.Globalization;
using System.Text.Json.Nodes;

namespace Mesh.Testing.Kubernetes.Storage;

/// <summary>What etcd and the API machinery are together: objects of all kinds under one growing revision. Any thread.</summary>
public sealed partial class ApiStore
{
    private const string Managed = "metadata";
    private readonly Lock _gate = new();
    private readonly Dictionary<(string Group, string Plural), ObjectTable> _tables = [];
    private readonly TimeProvider _time;
    private ulong _revision = 1000;
    private uint _addresses = 10;

    public ApiStore(TimeProvider time)
    {
        _time = time;
        foreach (var kind in ServedKind.BuiltIn)
            _tables[(kind.Group, kind.Plural)] = new ObjectTable(kind) { Forgotten = _revision };
        foreach (var name in (string[])["default", "kube-system", "kube-public", "kube-node-lease"])
            Put(new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Namespace", [Managed] = new JsonObject { ["name"] = name } });
    }

    public ulong Revision
    {
        get
        {
            lock (_gate)
                return _revision;
        }
    }

    public string Now => _time.GetUtcNow().UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    public IReadOnlyList<ServedKind> Kinds
    {
        get
        {
            lock (_gate)
                return [.. _tables.Values.Where(t => !t.IsGone).Select(t => t.Kind)];
        }
    }

    public ServedKind? FindKind(string group, string version, string plural)
    {
        lock (_gate)
            return _tables.TryGetValue((group, plural), out var table) && !table.IsGone && table.Kind.Versions.Contains(version, StringComparer.Ordinal) ? table.Kind : null;
    }

    public ServedKind KindOf(JsonObject body)
    {
        var apiVersion = (string?)body["apiVersion"] ?? throw ApiError.BadRequest("apiVersion is missing");
        var slash = apiVersion.IndexOf('/', StringComparison.Ordinal);
        var group = slash < 0 ? "" : apiVersion[..slash];
        return Kinds.FirstOrDefault(k => k.Group == group && k.Kind == (string?)body["kind"]) ?? throw ApiError.NoSuchApi();
    }

    public StoredObject? Find(ServedKind kind, string ns, string name)
    {
        ArgumentNullException.ThrowIfNull(kind);
        lock (_gate)
            return Table(kind).Objects.GetValueOrDefault((kind.Namespaced ? ns : "", name));
    }

    public StoredObject? Find(string group, string plural, string ns, string name)
    {
        lock (_gate)
            return _tables.TryGetValue((group, plural), out var table) ? table.Objects.GetValueOrDefault((table.Kind.Namespaced ? ns : "", name)) : null;
    }

    /// <summary>A snapshot and its revision.</summary>
    public (IReadOnlyList<StoredObject> Items, ulong Revision) List(ServedKind kind, string? ns, Selectors selectors)
    {
        ArgumentNullException.ThrowIfNull(kind);
        ArgumentNullException.ThrowIfNull(selectors);
        lock (_gate)
            return ([.. Table(kind).Objects.Values.Where(o => (ns is null || o.Namespace == ns) && selectors.Matches(o.Body))], _revision);
    }

    /// <summary>What happened after <paramref name="after"/>, and what to wait for when that is nothing. Too old is an <see cref="ApiError"/>.</summary>
    internal (IReadOnlyList<LoggedEvent> Events, ulong Revision, Task Changed, bool IsGone) Since(ServedKind kind, ulong after)
    {
        lock (_gate)
        {
            if (!_tables.TryGetValue((kind.Group, kind.Plural), out var table))
                return ([], _revision, Task.CompletedTask, true);
            if (after < table.Forgotten)
                throw ApiError.Expired(after, table.Forgotten);
            var from = table.History.FindLastIndex(e => e.After.Revision <= after) + 1;
            return (table.History[from..], _revision, table.Changed.Task, table.IsGone && from == table.History.Count);
        }
    }

    /// <summary>As after a restart of the API server or a compaction: every watch from before now is too old.</summary>
    public void Compact()
    {
        lock (_gate)
        {
            foreach (var table in _tables.Values)
            {
                table.History.Clear();
                table.Forgotten = _revision;
            }
        }
    }

    /// <summary>As after restoring a backup of etcd: the revision goes back; objects stay as they are.</summary>
    public void SetBackRevision(ulong by)
    {
        lock (_gate)
        {
            _revision -= by;
            foreach (var table in _tables.Values)
            {
                table.History.Clear();
                table.Forgotten = 0;
            }
        }
    }

    private ObjectTable Table(ServedKind kind) =>
        _tables.TryGetValue((kind.Group, kind.Plural), out var table) && !table.IsGone ? table : throw ApiError.NoSuchApi();

    private StoredObject Store(ObjectTable table, StoredObject? before, JsonObject body)
    {
        var metadata = (JsonObject)body[Managed]!;
        var revision = ++_revision;
        metadata["resourceVersion"] = revision.ToString(CultureInfo.InvariantCulture);
        var stored = new StoredObject((string?)metadata["namespace"] ?? "", (string)metadata["name"]!, revision, body);
        table.Objects[(stored.Namespace, stored.Name)] = stored;
        table.Log(new LoggedEvent(before is null ? "ADDED" : "MODIFIED", before, stored));
        return stored;
    }

    private void Erase(ObjectTable table, StoredObject stored)
    {
        table.Objects.Remove((stored.Namespace, stored.Name));
        var body = (JsonObject)stored.Body.DeepClone();
        body[Managed]!["resourceVersion"] = (++_revision).ToString(CultureInfo.InvariantCulture);
        table.Log(new LoggedEvent("DELETED", stored, stored with { Revision = _revision, Body = body }));
        CollectGarbage(stored.Uid);
        if (table.Kind.Plural == "customresourcedefinitions")
            Undefine(stored.Body);
        if (table.Kind is { Plural: "namespaces", Group: "" })
            Empty(stored.Name);
    }

    private void CollectGarbage(string owner)
    {
        foreach (var table in _tables.Values.ToList())
        {
            foreach (var dependent in table.Objects.Values.Where(o => (o.Body[Managed]?["ownerReferences"] as JsonArray ?? []).Any(r => (string?)r!["uid"] == owner)).ToList())
                EraseOrMark(table, dependent);
        }
    }

    private void Empty(string ns)
    {
        foreach (var table in _tables.Values.ToList())
        {
            foreach (var item in table.Objects.Values.Where(o => o.Namespace == ns).ToList())
                EraseOrMark(table, item);
        }
    }

    private void EraseOrMark(ObjectTable table, StoredObject stored)
    {
        if (stored.Body[Managed]?["finalizers"] is JsonArray { Count: > 0 })
        {
            if (stored.Body[Managed]!["deletionTimestamp"] is not null)
                return;
            var body = (JsonObject)stored.Body.DeepClone();
            body[Managed]!["deletionTimestamp"] = Now;
            Store(table, stored, body);
            return;
        }
        Erase(table, stored);
    }

    private void Define(JsonObject definition)
    {
        var kind = ServedKind.FromDefinition(definition);
        if (_tables.TryGetValue((kind.Group, kind.Plural), out var table) && !table.IsGone)
            table.Kind = kind;
        else
            _tables[(kind.Group, kind.Plural)] = new ObjectTable(kind) { Forgotten = _revision };
    }

    /// <summary>The objects go first, then the watches end, then the path is no more.</summary>
    private void Undefine(JsonObject definition)
    {
        var kind = ServedKind.FromDefinition(definition);
        if (!_tables.TryGetValue((kind.Group, kind.Plural), out var table))
            return;
        foreach (var item in table.Objects.Values.ToList())
            Erase(table, item);
        table.IsGone = true;
        table.Signal();
    }
}
