using System.Text.Json;
using Mesh.Runtime.Logging;

namespace Mesh.Ztunnel.NodeAgent.Cluster;

/// <summary>The last set of pods, kept on the node in the form of <see cref="PodListFile"/>: an agent that starts while the API server is away serves these.</summary>
internal sealed class KnownPodsFile(string path, LogSink sink, TimeProvider time)
{
    public IReadOnlyList<NodePod>? Read()
    {
        try
        {
            // Without the namespace that the CNI plugin named: it is of the pod's start. Since then rules were written into it, or the node was started anew and it is gone.
            return File.Exists(path) && new PodListFile(path, sink, time).Parse(File.ReadAllText(path)) is { } pods ? [.. pods.Select(p => p with { NamespacePath = null })] : null;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <returns>Null, or what is wrong.</returns>
    public string? Write(IReadOnlyList<NodePod> pods)
    {
        try
        {
            var temporary = path + ".new";
            File.WriteAllText(temporary, JsonSerializer.Serialize(PodListFile.Entries(pods), PodListJson.Default.ListEntry));
            File.Move(temporary, path, overwrite: true);
            return null;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return $"{path} cannot be written ({failure.Message}): should the agent start while the API server is away, it would not know all of the node's pods; make room on the node's disk";
        }
    }
}
