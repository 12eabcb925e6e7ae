using System.Text;

using Mesh.Meshctl.Local;
using Mesh.Meshctl.Topology;
using Mesh.Runtime;

namespace Mesh.Meshctl.Demo;

/// <summary>tcpdump on a node's uplink: everything that this node's pods exchange with other nodes' pods.</summary>
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
        // -U: every packet is in the file at once. -Z root: tcpdump would change to a user that an unprivileged user namespace does not have.
        var recording = mesh.OnNodeAsync(node,
            ["sh", "-c", "echo $$ >\"$1\"; exec tcpdump -i uplink -U --immediate-mode -Z root -s 0 -w \"$2\" \"$3\"", "tap", pid, file, "tcp and src net 198.18.0.0/15 and dst net 198.18.0.0/15 and not net 198.18.0.0/24"], cancel);
        // The file header is written when the capture is on.
        if (!await mesh.UntilAsync(() => Task.FromResult(recording.IsCompleted || (File.Exists(file) && new FileInfo(file).Length >= 24)), TimeSpan.FromSeconds(10), cancel) || recording.IsCompleted)
            throw new MeshctlException(ExitCodes.Unavailable, $"tcpdump does not record: {(recording.IsCompleted ? (await recording).Reason : "it does not begin")}");
        return new WireTap(mesh, node, file, pid, recording);
    }

    public async Task<byte[]> StopAsync(CancellationToken cancel)
    {
        await _mesh.OnNodeAsync(_node, ["sh", "-c", "kill -s INT \"$(cat \"$1\")\"", "stop", _processIdFile], cancel);
        await _recording;
        return await File.ReadAllBytesAsync(_file, cancel);
    }

    public static bool Holds(ReadOnlySpan<byte> recording, string text) => recording.IndexOf(Encoding.ASCII.GetBytes(text)) >= 0;
}
