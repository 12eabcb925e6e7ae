using System.Globalization;
using System.Text.Json.Nodes;

namespace Mesh.Testing.Kubernetes.Storage;

/// <summary>Who writes what, and how.</summary>
public sealed record WriteContext
{
    public string Manager { get; init; } = "unknown";

    /// <summary>Empty or status.</summary>
    public string Subresource { get; init; } = string.Empty;
    public bool DryRun { get; init; }

    /// <summary>Runs before anything is stored, with the object as it would be and as it is: admission.</summary>
    public Action<string, JsonObject?, JsonObject?>? Admit { get; init; }
}

public sealed partial class ApiStore
{
    /// <summary>Stores an object as it is, status included, whatever was there: what kubelet and controllers would have written.</summary>
    public StoredObject Put(JsonObject body)
    {
        ArgumentNullException.ThrowIfNull(body);
        var kind = KindOf(body);
        lock (_gate)
        {
            var table = Table(kind);
            var copy = (JsonObject)body.DeepClone();
            var metadata = (JsonObject)copy[Managed]!;
            if (kind.Namespaced)
                metadata["namespace"] ??= "default";
            var before = table.Objects.GetValueOrDefault(((string?)metadata["namespace"] ?? "", (string)metadata["name"]!));
            Complete(kind, before?.Body, copy);
            return AfterStore(kind, Store(table, before, copy));
        }
    }

    public StoredObject Create(ServedKind kind, string? ns, JsonObject body, WriteContext context)
    {
        ArgumentNullException.ThrowIfNull(kind);
        ArgumentNullException.ThrowIfNull(body);
        ArgumentNullException.ThrowIfNull(context);
        var copy = Prepared(kind, ns, body);
        var metadata = (JsonObject)copy[Managed]!;
        if (metadata["name"] is null && (string?)metadata["generateName"] is { } prefix)
            metadata["name"] = prefix + Guid.NewGuid().ToString("N")[..5];
        var name = (string?)metadata["name"] ?? throw ApiError.Invalid(kind, "", ("metadata.name", "Required value: name or generateName is required"));
        metadata.Remove("resourceVersion");
        metadata.Remove("managedFields");
        if (kind.HasStatus)
            copy.Remove("status");
        Validate(kind, copy);
        FieldManagement.Track(null, copy, context.Manager, context.Subresource, Now);
        context.Admit?.Invoke("CREATE", copy, null);
        lock (_gate)
        {
            var table = Table(kind);
            if (table.Objects.ContainsKey(((string?)metadata["namespace"] ?? "", name)))
                throw ApiError.AlreadyExists(kind, name);
            Complete(kind, null, copy);
            return context.DryRun ? new StoredObject((string?)metadata["namespace"] ?? "", name, 0, copy) : AfterStore(kind, Store(table, null, copy));
        }
    }

    /// <summary>PUT and every PATCH that is not apply: <paramref name="change"/> turns what is there into what shall be.</summary>
    public StoredObject Update(ServedKind kind, string ns, string name, Func<JsonObject, JsonObject> change, WriteContext context)
    {
        ArgumentNullException.ThrowIfNull(kind);
        ArgumentNullException.ThrowIfNull(change);
        ArgumentNullException.ThrowIfNull(context);
        // Admission may take its time: it runs outside the gate, and the write is tried again if somebody was faster.
        while (true)
        {
            var before = Find(kind, ns, name) ?? throw ApiError.NotFound(kind, name);
            var after = Restricted(kind, before.Body, Prepared(kind, ns, change((JsonObject)before.Body.DeepClone())), context.Subresource);
            var asked = (string?)after[Managed]!["resourceVersion"];
            if (!string.IsNullOrEmpty(asked) && asked != (string?)before.Body[Managed]!["resourceVersion"])
                throw ApiError.Conflict(kind, name, "the object has been modified; please apply your changes to the latest version and try again");
            if ((string?)after[Managed]!["uid"] is { } uid && uid != before.Uid)
                throw ApiError.Conflict(kind, name, $"Precondition failed: UID in precondition: {uid}, UID in object meta: {before.Uid}");
            if ((string?)after[Managed]!["name"] != name)
                throw ApiError.BadRequest("the name of the object does not match the name on the URL");
            Validate(kind, after);
            FieldManagement.Track(before.Body, after, context.Manager, context.Subresource, Now);
            context.Admit?.Invoke("UPDATE", after, before.Body);
            if (Replace(kind, before, after, context.DryRun) is { } stored)
                return stored;
        }
    }

    public (StoredObject Stored, bool Created) Apply(ServedKind kind, string ns, string name, JsonObject body, bool force, WriteContext context)
    {
        ArgumentNullException.ThrowIfNull(kind);
        ArgumentNullException.ThrowIfNull(context);
        if (body?["apiVersion"] is null || body["kind"] is null)
            throw ApiError.BadRequest("invalid object type: apiVersion and kind are required");
        if (body[Managed]?["managedFields"] is not null)
            throw ApiError.BadRequest("metadata.managedFields must be nil");
        while (true)
        {
            var before = Find(kind, ns, name);
            if (before is null && context.Subresource.Length > 0)
                throw ApiError.NotFound(kind, name);
            var applied = Prepared(kind, kind.Namespaced ? ns : null, body);
            if ((string?)applied[Managed]!["resourceVersion"] is { Length: > 0 } asked && asked != (string?)before?.Body[Managed]!["resourceVersion"])
                throw ApiError.Conflict(kind, name, "the object has been modified; please apply your changes to the latest version and try again");
            ((JsonObject)applied[Managed]!).Remove("resourceVersion");
            if (kind.HasStatus && context.Subresource.Length == 0)
                applied.Remove("status");
            var after = FieldManagement.Apply(kind, before?.Body, applied, context.Manager, force, context.Subresource, Now);
            if (before is not null)
                after = Restricted(kind, before.Body, after, context.Subresource);
            Validate(kind, after);
            context.Admit?.Invoke(before is null ? "CREATE" : "UPDATE", after, before?.Body);
            if (before is null)
            {
                lock (_gate)
                {
                    var table = Table(kind);
                    if (table.Objects.ContainsKey((kind.Namespaced ? ns : "", name)))
                        continue;
                    Complete(kind, null, after);
                    return (context.DryRun ? new StoredObject(ns, name, 0, after) : AfterStore(kind, Store(table, null, after)), true);
                }
            }
            if (Replace(kind, before, after, context.DryRun) is { } stored)
                return (stored, false);
        }
    }

    /// <summary>The object as it is after the call: gone, or waiting for its finalizers.</summary>
    public StoredObject Delete(ServedKind kind, string ns, string name, JsonObject? options, WriteContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var before = Find(kind, ns, name) ?? throw ApiError.NotFound(kind, name);
        context.Admit?.Invoke("DELETE", null, before.Body);
        lock (_gate)
        {
            var table = Table(kind);
            var stored = table.Objects.GetValueOrDefault((kind.Namespaced ? ns : "", name)) ?? throw ApiError.NotFound(kind, name);
            var wanted = options?["preconditions"];
            if ((string?)wanted?["uid"] is { } uid && uid != stored.Uid)
                throw ApiError.Conflict(kind, name, $"Precondition failed: UID in precondition: {uid}, UID in object meta: {stored.Uid}");
            if ((string?)wanted?["resourceVersion"] is { } version && version != (string?)stored.Body[Managed]!["resourceVersion"])
                throw ApiError.Conflict(kind, name, $"Precondition failed: ResourceVersion in precondition: {version}");
            if (context.DryRun)
                return stored;
            // A bound pod is told to end first; there is no kubelet here that would take its time.
            if (kind.Kind == "Pod" && stored.Body["spec"]?["nodeName"] is not null && stored.Body[Managed]!["deletionTimestamp"] is null && (int?)options?["gracePeriodSeconds"] is not 0)
            {
                var ending = (JsonObject)stored.Body.DeepClone();
                ending[Managed]!["deletionTimestamp"] = Now;
                ending[Managed]!["deletionGracePeriodSeconds"] = 30;
                stored = Store(table, stored, ending);
            }
            EraseOrMark(table, stored);
            return stored;
        }
    }

    private StoredObject? Replace(ServedKind kind, StoredObject before, JsonObject after, bool dryRun)
    {
        lock (_gate)
        {
            var table = Table(kind);
            if (!ReferenceEquals(table.Objects.GetValueOrDefault((before.Namespace, before.Name)), before))
                return null;
            Complete(kind, before.Body, after);
            if (SameButFor(before.Body, after))
                return before;
            if (dryRun)
                return before with { Body = after };
            var stored = Store(table, before, after);
            if (stored.Body[Managed]!["deletionTimestamp"] is not null && stored.Body[Managed]!["finalizers"] is not JsonArray { Count: > 0 })
                Erase(table, stored);
            return AfterStore(kind, stored);
        }
    }

    /// <summary>managedFields times alone are no change.</summary>
    private static bool SameButFor(JsonObject a, JsonObject b)
    {
        static JsonObject Bare(JsonObject body)
        {
            var copy = (JsonObject)body.DeepClone();
            foreach (var entry in copy[Managed]!["managedFields"] as JsonArray ?? [])
                ((JsonObject)entry!).Remove("time");
            ((JsonObject)copy[Managed]!).Remove("resourceVersion");
            return copy;
        }
        return JsonNode.DeepEquals(Bare(a), Bare(b));
    }

    private StoredObject AfterStore(ServedKind kind, StoredObject stored)
    {
        if (kind.Plural == "customresourcedefinitions")
            Define(stored.Body);
        if (kind is { Group: "", Plural: "namespaces" } && _tables[("", "serviceaccounts")] is var accounts && !accounts.Objects.ContainsKey((stored.Name, "default")))
        {
            var account = new JsonObject { ["apiVersion"] = "v1", ["kind"] = "ServiceAccount", [Managed] = new JsonObject { ["name"] = "default", ["namespace"] = stored.Name } };
            Complete(accounts.Kind, null, account);
            Store(accounts, null, account);
        }
        return stored;
    }

    private JsonObject Prepared(ServedKind kind, string? ns, JsonObject body)
    {
        var copy = (JsonObject)body.DeepClone();
        if (copy[Managed] is not JsonObject metadata)
            copy[Managed] = metadata = [];
        if (kind.Namespaced)
        {
            if ((string?)metadata["namespace"] is { } own && ns is not null && own != ns)
                throw ApiError.BadRequest("the namespace of the provided object does not match the namespace sent on the request");
            metadata["namespace"] ??= ns;
            var target = (string?)metadata["namespace"] ?? "";
            if (Find("", "namespaces", "", target) is null)
                throw new ApiError(404, "NotFound", $"namespaces \"{target}\" not found") { Details = new JsonObject { ["name"] = target, ["kind"] = "namespaces" } };
        }
        return copy;
    }

    /// <summary>A write to the object leaves status alone, one to status leaves everything else alone; of built-in kinds it may set labels and annotations.</summary>
    private static JsonObject Restricted(ServedKind kind, JsonObject before, JsonObject after, string subresource)
    {
        if (!kind.HasStatus)
            return after;
        if (subresource == "status")
        {
            var result = (JsonObject)before.DeepClone();
            result.Remove("status");
            if (after["status"] is { } status)
                result["status"] = status.DeepClone();
            var metadata = (JsonObject)result[Managed]!;
            metadata["resourceVersion"] = after[Managed]!["resourceVersion"]?.DeepClone();
            if (after[Managed]!["managedFields"] is { } fields)
                metadata["managedFields"] = fields.DeepClone();
            foreach (var part in kind.IsCustom ? [] : (string[])["labels", "annotations"])
            {
                metadata.Remove(part);
                if (after[Managed]![part] is { } written)
                    metadata[part] = written.DeepClone();
            }
            return result;
        }
        after.Remove("status");
        if (before["status"] is { } kept)
            after["status"] = kept.DeepClone();
        return after;
    }
}
