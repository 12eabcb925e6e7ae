using System.Collections.Concurrent;
using System.Text.RegularExpressions;

using Mesh.Meshctl.Control;
using Mesh.Meshctl.Daemon;
using Mesh.Meshctl.Documents;
using Mesh.Meshctl.Local;
using Mesh.Meshctl.Topology;
using Mesh.Runtime;

namespace Mesh.Meshctl.Pods;

/// <summary>The pods of a mesh: made, captured, started, watched, removed.</summary>
/// <remarks>
/// Making one: (1) name and address are reserved, (2) network namespace and link, (3) the Pod document, so that the control plane can issue its identity,
/// (4) the node agent takes it and acknowledges, (5) the program starts, (6) the Pod document says captured and ready, and every proxy has
/// heard of it: now peers use it.
/// A failure at any step undoes all of it. Removing one goes backwards, so that peers stop first.
/// </remarks>
internal sealed partial class PodRegistry(string directory, string logs, IReadOnlyDictionary<int, INodeAgent> agents, int nodes, ConfigFolder config, SemaphoreSlim configGate, Func<Task> settled, TimeProvider time, Action<string> log)
{
    private static readonly TimeSpan ReadyDeadline = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan AgentDeadline = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(3);

    private readonly ConcurrentDictionary<string, Pod> _pods = new(StringComparer.Ordinal);
    private readonly Lock _gate = new();

    public IEnumerable<Pod> All => _pods.Values.OrderBy(p => p.Key, StringComparer.Ordinal);

    public Pod Find(string name)
    {
        var key = name.Contains('/', StringComparison.Ordinal) ? name : Pod.KeyOf("default", name);
        if (_pods.TryGetValue(key, out var pod))
            return pod;
        var elsewhere = _pods.Values.Where(p => p.Request.Name == name).Select(p => p.Key).ToList();
        throw new MeshctlException(ExitCodes.Usage, elsewhere.Count > 0
            ? $"there is no pod {key}; did you mean {string.Join(" or ", elsewhere)}?"
            : $"there is no pod {key}: 'meshctl status' lists the pods.");
    }

    public async Task<Pod> CreateAsync(RunRequest request, Func<Pod, Task>? onCaptured, CancellationToken cancel)
    {
        // (1)
        var pod = Reserve(request);
        await pod.Gate.WaitAsync(cancel);
        try
        {
            // (2)
            Directory.CreateDirectory(pod.Directory);
            await WriteNamesAsync(pod);
            await NetworkBuilder.AddPodAsync(pod.NetworkNamespace, pod.Node, pod.Address, cancel);

            // (3)
            await PublishAsync(pod);

            // (4)
            if (request.InMesh)
            {
                if (!agents.TryGetValue(pod.Node, out var agent))
                    throw new MeshctlException(ExitCodes.Unavailable, "this mesh was started without proxies (--bare): use --no-mesh.");
                using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancel);
                deadline.CancelAfter(AgentDeadline);
                if (await agent.AddAsync(pod, deadline.Token) is { } refusal)
                    throw new MeshctlException(ExitCodes.TemporaryFailure, $"the node agent of {AddressPlan.NodeName(pod.Node)} did not take {pod.Key}: {refusal}.");
                pod.Captured = true;
            }

            // (5)
            if (onCaptured is not null)
                await onCaptured(pod);
            if (request.Program.Count > 0 && !request.Foreground)
                await StartProgramAsync(pod, cancel);

            // (6)
            pod.State = PodState.Running;
            await PublishAsync(pod);
            await settled();
            log($"pod {pod.Key} is up: {pod.Address} on {AddressPlan.NodeName(pod.Node)}");
            return pod;
        }
        catch
        {
            await TearDownAsync(pod);
            throw;
        }
        finally
        {
            pod.Gate.Release();
        }
    }

    public async Task DeleteAsync(Pod pod)
    {
        await pod.Gate.WaitAsync();
        try
        {
            if (pod.State != PodState.Removing)
                await TearDownAsync(pod);
        }
        finally
        {
            pod.Gate.Release();
        }
    }

    /// <summary>Ends what runs in a pod and leaves the rest to the kernel: the whole mesh is going down.</summary>
    public Task EndProgramAsync(Pod pod)
    {
        pod.State = PodState.Removing;
        return ProcessEnd.StopAllInAsync(pod.NetworkNamespacePath, Grace, time);
    }

    /// <summary>Service names may have changed: every pod's hosts file follows. Written in place, because the pods hold the file itself mounted.</summary>
    public async Task RewriteNamesAsync()
    {
        foreach (var pod in _pods.Values)
            await WriteNamesAsync(pod);
    }

    private Pod Reserve(RunRequest request)
    {
        foreach (var (value, what) in (ReadOnlySpan<(string, string)>)[(request.Name, "pod name"), (request.Namespace, "namespace"), (request.ServiceAccount, "service account")])
        {
            if (!DnsLabel().IsMatch(value))
                throw new MeshctlException(ExitCodes.Usage, $"'{value}' cannot be a {what}: use up to 63 lower-case letters, digits and '-', beginning and ending with a letter or digit.");
        }

        lock (_gate)
        {
            var key = Pod.KeyOf(request.Namespace, request.Name);
            if (_pods.TryGetValue(key, out var existing))
            {
                throw new MeshctlException(ExitCodes.CannotCreate, existing.State == PodState.Exited
                    ? $"the pod {key} exists, its program ended with {existing.ExitCode}: see 'meshctl logs {key}', then 'meshctl delete {key}'."
                    : $"the pod {key} is already running on {AddressPlan.NodeName(existing.Node)}: choose another name, or 'meshctl delete {key}' first.");
            }

            var node = ChooseNode(request.Node);
            var used = _pods.Values.Where(p => p.Node == node).Select(p => (int)p.Address.GetAddressBytes()[3]).ToHashSet();
            var host = Enumerable.Range(AddressPlan.FirstPod, AddressPlan.LastPod - AddressPlan.FirstPod + 1).FirstOrDefault(h => !used.Contains(h));
            if (host == 0)
                throw new MeshctlException(ExitCodes.TemporaryFailure, $"{AddressPlan.NodeName(node)} has no free address ({used.Count} pods): name another node with --node, or delete pods.");

            var pod = new Pod(request, node, AddressPlan.Pod(node, host), Path.Combine(directory, $"{request.Namespace}.{request.Name}")) { Log = Path.Combine(logs, $"pod-{request.Namespace}-{request.Name}.log") };
            _pods[key] = pod;
            return pod;
        }
    }

    private int ChooseNode(string? wanted)
    {
        if (wanted is null)
            return Enumerable.Range(1, nodes).MinBy(n => _pods.Values.Count(p => p.Node == n));
        for (var node = 1; node <= nodes; node++)
        {
            if (AddressPlan.NodeName(node) == wanted)
                return node;
        }

        throw new MeshctlException(ExitCodes.Usage, $"there is no node '{wanted}': this mesh has {string.Join(", ", Enumerable.Range(1, nodes).Select(AddressPlan.NodeName))}.");
    }

    private async Task StartProgramAsync(Pod pod, CancellationToken cancel)
    {
        pod.Program = PodProgram.Start(pod);
        if (pod.Request.ReadyPort > 0 && !await PodProgram.WaitUntilListeningAsync(pod.Program, pod.Request.ReadyPort, ReadyDeadline, time, cancel))
        {
            throw new MeshctlException(ExitCodes.Unavailable, pod.Program.HasExited
                ? $"the program of {pod.Key} ended with {pod.Program.ExitCode} before it listened on port {pod.Request.ReadyPort}: {LastLine(pod.Log)}"
                : $"the program of {pod.Key} does not listen on port {pod.Request.ReadyPort} after {ReadyDeadline.TotalSeconds:0} s.");
        }

        _ = WatchAsync(pod, pod.Program);
    }

    /// <summary>A program that ended makes its pod not ready at once, so that no new request is sent there.</summary>
    private async Task WatchAsync(Pod pod, System.Diagnostics.Process program)
    {
        await program.WaitForExitAsync();
        await pod.Gate.WaitAsync();
        try
        {
            pod.ExitCode = program.ExitCode;
            if (pod.State == PodState.Removing)
                return;
            pod.State = PodState.Exited;
            log($"the program of {pod.Key} ended with {program.ExitCode}");
            await PublishAsync(pod);
        }
        finally
        {
            pod.Gate.Release();
        }
    }

    private async Task TearDownAsync(Pod pod)
    {
        pod.State = PodState.Removing;
        await configGate.WaitAsync();
        try
        {
            config.RemovePod(pod.Request.Namespace, pod.Request.Name);
        }
        finally
        {
            configGate.Release();
        }

        await settled();
        await ProcessEnd.StopAllInAsync(pod.NetworkNamespacePath, Grace, time);
        if (pod.Request.InMesh && agents.TryGetValue(pod.Node, out var agent))
        {
            using var deadline = new CancellationTokenSource(Grace, time);
            await agent.DeleteAsync(pod, deadline.Token);
        }

        await NetworkBuilder.RemovePodAsync(pod.NetworkNamespace, pod.Node, pod.Address, CancellationToken.None);
        if (Directory.Exists(pod.Directory))
            Directory.Delete(pod.Directory, recursive: true);
        _pods.TryRemove(pod.Key, out _);
        log($"pod {pod.Key} is gone");
    }

    private async Task PublishAsync(Pod pod)
    {
        await configGate.WaitAsync();
        try
        {
            config.WritePod(pod.ToDocument());
        }
        finally
        {
            configGate.Release();
        }
    }

    private async Task WriteNamesAsync(Pod pod)
    {
        await configGate.WaitAsync();
        try
        {
            var text = ServiceAddresses.HostsFile(pod.Request.Namespace, pod.Request.Name, pod.Address.ToString(), config.Names);
            await using var file = new FileStream(pod.Hosts, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite);
            // One write and only then the cut: a reader sees the old or the new names, never none.
            await file.WriteAsync(System.Text.Encoding.UTF8.GetBytes(text));
            await file.FlushAsync();
            file.SetLength(file.Position);

            // Nobody answers DNS in here: an unknown name fails at once instead of after the resolver's five seconds.
            await File.WriteAllTextAsync(pod.Resolver, "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n");
        }
        finally
        {
            configGate.Release();
        }
    }

    private static string LastLine(string log) => File.Exists(log) ? File.ReadLines(log).LastOrDefault(l => l.Trim().Length > 0) ?? "it wrote nothing" : "it wrote nothing";

    [GeneratedRegex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
    private static partial Regex DnsLabel();
}
