using System.Diagnostics;
using System.Net;
using Mesh.Testing;

namespace Mesh.Net.Tests;

/// <summary>Two unnamed network namespaces joined by a cable: 198.18.7.1 and fd00:7::1 on the left, .2 and ::2 on the right. Gone when disposed.</summary>
internal sealed class NetworkLab : IDisposable
{
    internal static readonly IPAddress LeftAddress = IPAddress.Parse("198.18.7.1");
    internal static readonly IPAddress RightAddress = IPAddress.Parse("198.18.7.2");
    internal static readonly IPAddress LeftAddress6 = IPAddress.Parse("fd00:7::1");
    internal static readonly IPAddress RightAddress6 = IPAddress.Parse("fd00:7::2");

    internal NetworkLab()
    {
        Left = NetworkNamespace.CreateUnnamed();
        Right = NetworkNamespace.CreateUnnamed();

        // The other namespace is named by a descriptor of this process, which ip inherits nothing of but can open.
        Run(Left, "ip", "link", "set", "lo", "up");
        Run(Right, "ip", "link", "set", "lo", "up");
        Run(Left, "ip", "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", $"/proc/{Environment.ProcessId}/fd/{Right.Descriptor}");
        foreach (var (side, v4, v6) in ((NetworkNamespace, IPAddress, IPAddress)[])[(Left, LeftAddress, LeftAddress6), (Right, RightAddress, RightAddress6)])
        {
            Run(side, "ip", "address", "add", $"{v4}/24", "dev", "cable");
            Run(side, "ip", "address", "add", $"{v6}/64", "dev", "cable", "nodad");
            Run(side, "ip", "link", "set", "cable", "up");
        }
    }

    internal NetworkNamespace Left { get; }

    internal NetworkNamespace Right { get; }

    public void Dispose()
    {
        Left.Dispose();
        Right.Dispose();
    }

    internal static string Run(NetworkNamespace where, string tool, params string[] arguments)
    {
        var start = new ProcessStartInfo(Prerequisites.FindTool(tool)!) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        using var process = where.StartProcess(start);
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{tool} {string.Join(' ', arguments)}: {output}{errors.Result}");
        return output;
    }
}
