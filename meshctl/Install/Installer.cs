using System.Text.Json.Nodes;

using Mesh.Kubernetes;
using Mesh.Kubernetes.Requests;
using Mesh.Meshctl.Local;
using Mesh.Runtime;

namespace Mesh.Meshctl.Install;

/// <summary>
/// Brings a manifest into a cluster and out of it: (1) CRDs, and wait until they are served  (2) everything else in order  (3) on an upgrade what
/// the manifest no longer has  (4) wait until control plane and agents run.
/// </summary>
internal sealed class Installer(KubeClient client, Action<string> tell)
{
    /// <summary>Owner of the fields that we set; Helm's and people's own fields stay theirs.</summary>
    private const string FieldManager = "meshctl";

    private const string PartOf = "app.kubernetes.io/part-of";

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    public async Task ApplyAsync(Manifest manifest, CancellationToken cancel)
    {
        // (1)
        foreach (var item in manifest.CustomResources)
            await ApplyAsync(item, cancel);
        foreach (var item in manifest.CustomResources)
            await WaitUntilServedAsync(item, cancel);

        // (2)
        foreach (var item in manifest.Objects)
            await ApplyAsync(item, cancel);
    }

    /// <summary>(3) Objects that carry our mark and are not in the manifest.</summary>
    public async Task PruneAsync(Manifest manifest, CancellationToken cancel)
    {
        var wanted = manifest.All.Select(o => (ManifestKinds.Of(o).Name, o.Namespace, o.Name)).ToHashSet();
        foreach (var type in ManifestKinds.Prunable)
        {
            foreach (var (ns, name) in await OursAsync(type, cancel))
            {
                if (wanted.Contains((type.Name, ns ?? string.Empty, name)))
                    continue;
                await client.DeleteAsync(type, ns, name, null, cancel);
                tell($"{type.Kind} {name} removed: this version has no such object");
            }
        }
    }

    /// <summary>In the opposite order, so that nobody runs without what they need. Definitions hold the documents that people wrote.</summary>
    public async Task RemoveAsync(Manifest manifest, bool definitions, CancellationToken cancel)
    {
        foreach (var item in manifest.Objects.Reverse().Concat(definitions ? manifest.CustomResources : []))
        {
            try
            {
                var type = ManifestKinds.Of(item);
                var there = await client.DeleteAsync(type, type.Namespaced ? item.Namespace : null, item.Name, new DeleteOptions { PropagationPolicy = "Foreground" }, cancel);
                if (there)
                    tell($"{item} removed");
                // Agents see that their DaemonSet goes and clean the pods' namespaces; the accounts that they need for it go last.
                if (there && item.Kind == "DaemonSet")
                    await UntilAsync($"{item} is still there; its pods clean up what they wrote on the nodes", async () => await FindAsync(item, cancel) is null, TimeSpan.FromMinutes(2), cancel);
            }
            catch (KubeException e) when (e.Failure is KubeFailure.NotServed)
            {
                // Its kind was never installed.
            }
        }
    }

    /// <summary>(4)</summary>
    public async Task WaitUntilRunningAsync(Manifest manifest, TimeSpan patience, CancellationToken cancel)
    {
        foreach (var item in manifest.Objects.Where(o => o.Kind is "Deployment" or "DaemonSet"))
        {
            var state = string.Empty;
            await UntilAsync(
                $"{item} does not get ready: kubectl -n {item.Namespace} describe pods -l app={item.Name}",
                async () => await FindAsync(item, cancel) is { } found && Rollout.IsComplete(item.Kind, found, out state),
                patience,
                cancel,
                () => state);
            tell($"{item} is ready: {state}");
        }
    }

    private async Task ApplyAsync(ManifestObject item, CancellationToken cancel)
    {
        var type = ManifestKinds.Of(item);
        try
        {
            await client.ApplyAsync(type, type.Namespaced ? item.Namespace : null, item.Name, item.Body.DeepClone().AsObject(), FieldManager, force: true, subresource: null, cancel);
            tell($"{item} applied");
        }
        catch (KubeException e) when (e.Failure is KubeFailure.NotServed)
        {
            throw new MeshctlException(ExitCodes.Unavailable, $"{item} cannot be applied: {type.Name} is not installed in the cluster. {Remedies.ForKind(type)}");
        }
        catch (KubeException e)
        {
            throw new MeshctlException(e.Failure is KubeFailure.Forbidden ? ExitCodes.Permission : ExitCodes.Unavailable, $"{item} cannot be applied: {e.Message}. What was applied before it stays; run the same command again once this is mended.");
        }
    }

    private async Task WaitUntilServedAsync(ManifestObject definition, CancellationToken cancel) =>
        await UntilAsync(
            $"{definition} was accepted and is not served",
            async () => await FindAsync(definition, cancel) is { } found && (found["status"]?["conditions"] as JsonArray ?? []).Any(c => (string?)c!["type"] == "Established" && (string?)c["status"] == "True"),
            TimeSpan.FromMinutes(1),
            cancel);

    private async Task<JsonObject?> FindAsync(ManifestObject item, CancellationToken cancel)
    {
        var type = ManifestKinds.Of(item);
        try
        {
            return await client.GetAsync(type.ObjectPath(type.Namespaced ? item.Namespace : null, item.Name), InstallJson.Default.JsonObject, cancel);
        }
        catch (KubeException e) when (e.Failure is KubeFailure.NotFound)
        {
            return null;
        }
    }

    private async Task<List<(string? Namespace, string Name)>> OursAsync(ResourceType type, CancellationToken cancel)
    {
        try
        {
            var list = await client.GetAsync($"{type.CollectionPath(null)}?labelSelector={Uri.EscapeDataString($"{PartOf}=mesh,app.kubernetes.io/managed-by=meshctl")}", InstallJson.Default.JsonObject, cancel);
            return [.. (list["items"] as JsonArray ?? []).Select(i => ((string?)i!["metadata"]!["namespace"], (string)i["metadata"]!["name"]!))];
        }
        catch (KubeException e) when (e.Failure is KubeFailure.NotServed or KubeFailure.NotFound)
        {
            return [];
        }
    }

    private async Task UntilAsync(string otherwise, Func<Task<bool>> condition, TimeSpan patience, CancellationToken cancel, Func<string>? state = null)
    {
        using var limit = new CancellationTokenSource(patience, client.Time);
        while (!await condition())
        {
            if (limit.IsCancellationRequested)
                throw new MeshctlException(ExitCodes.TemporaryFailure, $"{otherwise}{(state is null ? string.Empty : $" (now: {state()})")}.");
            await Task.Delay(Pause, client.Time, cancel);
        }
    }
}

/// <summary>Whether all pods of a Deployment or DaemonSet are of the newest version and ready, as kubectl rollout status judges it.</summary>
internal static class Rollout
{
    public static bool IsComplete(string kind, JsonObject found, out string state)
    {
        var status = found["status"];
        var isCurrent = Number(status?["observedGeneration"]) >= Number(found["metadata"]?["generation"]);
        var wanted = kind == "DaemonSet" ? Number(status?["desiredNumberScheduled"]) : Number(found["spec"]?["replicas"]);
        var updated = Number(status?[kind == "DaemonSet" ? "updatedNumberScheduled" : "updatedReplicas"]);
        var available = Number(status?[kind == "DaemonSet" ? "numberAvailable" : "availableReplicas"]);
        state = $"{available} of {wanted} pods ready, {updated} of this version";
        return isCurrent && status is not null && updated >= wanted && available >= wanted;
    }

    private static long Number(JsonNode? node) => node?.GetValue<long>() ?? 0;
}
