using Mesh.Meshctl.Control;
using Mesh.Meshctl.Documents;
using Mesh.Meshctl.Local;
using Mesh.Meshctl.Pods;
using Mesh.Meshctl.Topology;
using Mesh.Runtime;

namespace Mesh.Meshctl.Daemon;

/// <summary>What the daemon does for each request of the command line.</summary>
internal sealed class DaemonHandler(
    StateDirectory state,
    DaemonOptions options,
    PodRegistry pods,
    ConfigFolder config,
    SemaphoreSlim configGate,
    ControlPlane? controlPlane,
    WaypointRunner waypoints,
    ComponentSet components,
    CancellationTokenSource stop)
{
    public async Task<ControlReply> HandleAsync(ControlRequest request, ControlConnection connection) => request switch
    {
        StatusRequest => await StatusAsync(),
        RunRequest run => await RunAsync(run, connection),
        FindPodRequest find => pods.Find(find.Pod).ToReply(),
        DeletePodRequest delete => await DeletePodAsync(delete.Pod),
        ApplyRequest apply => await ApplyAsync(apply.Files),
        DeleteDocumentsRequest delete => await DeleteDocumentsAsync(delete),
        DownRequest => Down(),
        LeaseRequest => Lease(connection),
        WhyRequest why => new WhyReply(await new DecisionCollector(Proxies()).CollectAsync(why, stop.Token)),
        _ => throw new MeshctlException(ExitCodes.Data, $"the request {request.GetType().Name} is not known."),
    };

    private async Task<ControlReply> StatusAsync()
    {
        var (problems, certificates, faults) = (new List<DocumentProblem>(), new List<CertificateStatus>(), new List<string>());
        if (controlPlane is not null)
        {
            problems = await controlPlane.TryProblemsAsync(stop.Token);
            faults = await controlPlane.TryFaultsAsync(stop.Token);
            certificates = await ProxyPages.CertificatesAsync(components.Statuses, stop.Token);
        }

        return await WithConfigAsync(() => new StatusReply(
            state.Name,
            options.Nodes,
            [.. pods.All.Select(p => p.ToStatus())],
            [.. components.Statuses],
            certificates,
            [.. config.Documents.OrderBy(d => d.Key, StringComparer.Ordinal).Select(d => new DocumentStatus(d.Kind, d.Namespace, d.Name, d.File))],
            [.. problems.Select(config.ToPerson)],
            faults));
    }

    private async Task<ControlReply> RunAsync(RunRequest request, ControlConnection connection)
    {
        var marked = request with { Labels = new Dictionary<string, string>(request.Labels, StringComparer.Ordinal) };
        // The pod itself says whether it takes part, so that no namespace document is needed.
        marked.Labels.TryAdd("istio.io/dataplane-mode", request.InMesh ? "ambient" : "none");
        var pod = await pods.CreateAsync(marked, onCaptured: null, stop.Token);
        if (request.Foreground)
            connection.WhenGone = _ => pods.DeleteAsync(pod);
        return pod.ToReply();
    }

    private async Task<ControlReply> DeletePodAsync(string name)
    {
        var pod = pods.Find(name);
        await pods.DeleteAsync(pod);
        return new DoneReply($"pod {pod.Key} deleted");
    }

    /// <summary>All or nothing per call: what the control plane refuses never comes into force, the last good version of each document stays.</summary>
    private async Task<ControlReply> ApplyAsync(List<SourceFile> files)
    {
        var (documents, problems) = DocumentReader.Read(files);
        if (problems.Exists(p => p.IsError))
            return new ApplyReply(Accepted: false, [], problems);

        var prepared = await WithConfigAsync(() => config.Prepare(documents));
        problems.AddRange(await JudgeAsync(prepared));
        if (problems.Exists(p => p.IsError))
            return new ApplyReply(Accepted: false, [], problems);

        await WithConfigAsync(() =>
        {
            config.Commit(prepared);
            return true;
        });
        await ComeIntoForceAsync();
        return new ApplyReply(Accepted: true, [.. documents.Select(d => d.Key)], problems);
    }

    private async Task<List<DocumentProblem>> JudgeAsync(IReadOnlyList<StoredDocument> prepared)
    {
        if (controlPlane is null)
            return [];
        var stage = Directory.CreateTempSubdirectory("apply-").FullName;
        try
        {
            await WithConfigAsync(() =>
            {
                config.Stage(prepared, stage);
                return true;
            });
            var byFile = prepared.ToDictionary(d => d.Document.FileName, StringComparer.OrdinalIgnoreCase);
            return [.. (await controlPlane.ValidateAsync(stage, stop.Token))
                .Where(p => byFile.ContainsKey(Path.GetFileName(p.File)))
                .Select(p => byFile[Path.GetFileName(p.File)].ToPerson(p))];
        }
        finally
        {
            Directory.Delete(stage, recursive: true);
        }
    }

    private async Task ComeIntoForceAsync()
    {
        await pods.RewriteNamesAsync();
        await waypoints.ReconcileAsync(await WithConfigAsync(() => config.Documents.ToList()), stop.Token);
        if (controlPlane is not null)
            await controlPlane.SettleAsync(stop.Token);
    }

    private async Task<ControlReply> DeleteDocumentsAsync(DeleteDocumentsRequest request)
    {
        var (documents, problems) = DocumentReader.Read(request.Files);
        if (problems.Exists(p => p.IsError))
            return new ApplyReply(Accepted: false, [], problems);
        var removed = await WithConfigAsync(() =>
        {
            foreach (var name in request.Names)
                documents.Add(FindNamed(name));
            return documents.Where(config.Remove).Select(d => d.Key).ToList();
        });
        if (removed.Count == 0)
            throw new MeshctlException(ExitCodes.Usage, "none of these documents is applied: 'meshctl status' lists them.");
        await ComeIntoForceAsync();
        return new ApplyReply(Accepted: true, removed, problems);
    }

    /// <summary>kind/name or kind/namespace/name.</summary>
    private MeshDocument FindNamed(string name)
    {
        var parts = name.Split('/');
        var found = parts.Length switch
        {
            2 => config.Find(parts[0], "default", parts[1]),
            3 => config.Find(parts[0], parts[1], parts[2]),
            _ => null,
        };
        return found ?? throw new MeshctlException(ExitCodes.Usage, $"there is no document '{name}' (kind/name or kind/namespace/name): 'meshctl status' lists them.");
    }

    private List<DecisionSource> Proxies() =>
    [
        .. components.Statuses.Where(c => c.Name.StartsWith("ztunnel-", StringComparison.Ordinal)).Select(c => new DecisionSource(c.Name, c.Where, NetworkBuilder.PathOf(c.Where))),
        .. waypoints.Running.Select(w => new DecisionSource(w.Component, AddressPlan.NodeName(w.Pod.Node), w.Pod.NetworkNamespacePath)),
    ];

    private ControlReply Down()
    {
        stop.Cancel();
        return new DoneReply($"the mesh '{state.Name}' goes down");
    }

    private ControlReply Lease(ControlConnection connection)
    {
        connection.WhenGone = released =>
        {
            if (!released)
                stop.Cancel();
            return Task.CompletedTask;
        };
        return new DoneReply("the mesh lives as long as this connection");
    }

    private async Task<T> WithConfigAsync<T>(Func<T> action)
    {
        await configGate.WaitAsync(stop.Token);
        try
        {
            return action();
        }
        finally
        {
            configGate.Release();
        }
    }
}
