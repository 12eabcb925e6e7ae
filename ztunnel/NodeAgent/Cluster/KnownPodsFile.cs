using System.Text.Json;
using Mesh.Runtime.Logging;

namespace Mesh.Ztunnel.NodeAgent.Cluster;

/// <summary>The last set of pods, kept on the node in the form of <see cref="PodListFile"/>: an agent that starts while the API server is away serves these.</summary>
internal sealed class KnownPodsFile(string path, LogSink sink, TimeProvider time)
{
    private readonly Log _log = sink.For("nodeagent");
    private bool _complained;

    public IReadOnlyList<NodePod>? Read()
    {
        try
        {
            return File.Exists(path) ? new PodListFile(path, sink, time).Parse(File.ReadAllText(path)) : null;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    public void Write(IReadOnlyList<NodePod> pods)
    {
        try
        {
            var temporary = path + ".new";
            File.WriteAllText(temporary, JsonSerializer.Serialize(PodListFile.Entries(pods), PodListJson.Default.ListEntry));
            File.Move(temporary, path, overwrite: true);
            _complained = false;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            if (!_complained)
                _log.Warn($"{path} cannot be written ({failure.Message}): should the agent start while the API server is away, it would know no pods");
            _complained = true;
        }
    }
}
