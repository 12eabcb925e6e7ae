using System.Text;

using Mesh.Meshctl.Local;
using Mesh.Meshctl.Topology;
using Mesh.Runtime;

namespace Mesh.Meshctl.Demo;

/// <summary>A recording of a node's uplink, where everything passes that its pods exchange with other nodes' pods.</summary>
internal sealed class WireTap
{
    private readonly DemoMesh _mesh;
    private readonly int _node;
    private readonly string _file;
    private readonly string _processIdFile;
    private readonly Task<ToolResult> _recording;

    private WireTap(DemoMesh mesh, int node, string file, string processIdFile, Task<ToolResult> recording)
    {
        _mesh = mesh;
        _node = node;
        _file = file;
        _processIdFile = processIdFile;
        _recording = recording;
    }

    public string Node => AddressPlan.NodeName(_node);

    public static async Task<WireTap> StartAsync(DemoMesh mesh, int node, CancellationToken cancel)
    {
        var file = Path.Combine(mesh.Folder, $"wire-{AddressPlan.NodeName(node)}.pcap");
        var pid = file + ".pid";
        var recording = mesh.OnNodeAsync(node,
            ["sh", "-c", "echo $$ >\"$0\"; exec \"$@\"", pid, .. MeshLauncher.OwnCommand, "record", AddressPlan.NodeName(node), "--here", "uplink", "--write", file], cancel);
        // The file header is written when the capture is on.
        if (!await mesh.UntilAsync(() => Task.FromResult(recording.IsCompleted || (File.Exists(file) && new FileInfo(file).Length >= 24)), TimeSpan.FromSeconds(10), cancel) || recording.IsCompleted)
            throw new MeshctlException(ExitCodes.Unavailable, $"the wire is not recorded: {(recording.IsCompleted ? (await recording).Reason : "it does not begin")}");
        return new WireTap(mesh, node, file, pid, recording);
    }

    public async Task<byte[]> StopAsync(CancellationToken cancel)
    {
        await _mesh.OnNodeAsync(_node, ["sh", "-c", "kill -s TERM \"$(cat \"$1\")\"", "stop", _processIdFile], cancel);
        await _recording;
        return await File.ReadAllBytesAsync(_file, cancel);
    }

    public static bool Holds(ReadOnlySpan<byte> recording, string text) => recording.IndexOf(Encoding.ASCII.GetBytes(text)) >= 0;
}
