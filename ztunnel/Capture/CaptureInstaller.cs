using System.Diagnostics;
using Mesh.Net;
using Mesh.Ztunnel.Settings;

namespace Mesh.Ztunnel.Capture;

/// <summary>
/// Writes the rules that lead a pod's traffic to us into the pod's namespace, and takes them out again. Every call brings the namespace
/// into the wanted state whatever it was before, so repairing and installing are the same thing.
/// </summary>
internal sealed class CaptureInstaller(CaptureRules wanted, bool dns, bool ipv6)
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(10);

    /// <summary>Own connections that keep the client's address are answered to an address that is not ours: the mark brings the answers back to loopback.</summary>
    private const string Routing = """
        rule add from 0.0.0.0/0 fwmark 0x111/0xfff pref 32764 lookup 100
        route replace local 0.0.0.0/0 dev lo table 100

        """;

    private const string RoutingV6 = """
        rule add from ::/0 fwmark 0x111/0xfff pref 32764 lookup 100
        route replace local ::/0 dev lo table 100

        """;

    private const string RoutingRemoval = """
        rule del from 0.0.0.0/0 fwmark 0x111/0xfff pref 32764 lookup 100
        route flush table 100
        rule del from ::/0 fwmark 0x111/0xfff pref 32764 lookup 100

        """;

    private readonly CaptureRules _rules = wanted == CaptureRules.Auto ? Detect() : wanted;

    /// <summary>nftables where it is there: one transaction, no half state.</summary>
    public static CaptureRules Detect() => Exists("nft") ? CaptureRules.Nftables : CaptureRules.Iptables;

    public async Task InstallAsync(NetworkNamespace pod)
    {
        if (_rules == CaptureRules.Off)
            return;
        if (_rules == CaptureRules.Nftables)
        {
            await RunAsync(pod, "nft", ["-f", "-"], CaptureScript.Nftables(dns, ipv6));
        }
        else
        {
            await InstallIptablesAsync(pod, "iptables", isIpv6: false);
            if (ipv6)
                await InstallIptablesAsync(pod, "ip6tables", isIpv6: true);
        }
        // -force: a rule that is there already is not an error, and nothing else is skipped because of it.
        await RunAsync(pod, "ip", ["-force", "-batch", "-"], ipv6 ? Routing + RoutingV6 : Routing, ignore: "File exists");
    }

    public async Task RemoveAsync(NetworkNamespace pod)
    {
        if (_rules == CaptureRules.Off)
            return;
        if (_rules == CaptureRules.Nftables)
        {
            await RunAsync(pod, "nft", ["-f", "-"], CaptureScript.NftablesRemoval());
        }
        else
        {
            foreach (var tool in ipv6 ? (string[])["iptables", "ip6tables"] : ["iptables"])
            {
                foreach (var (table, from, to) in CaptureScript.IptablesJumps(dns))
                {
                    await RunAsync(pod, tool, ["-w", "10", "-t", table, "-D", from, "-j", to], null, ignore: "*");
                    await RunAsync(pod, tool, ["-w", "10", "-t", table, "-F", to], null, ignore: "*");
                    await RunAsync(pod, tool, ["-w", "10", "-t", table, "-X", to], null, ignore: "*");
                }
            }
        }
        await RunAsync(pod, "ip", ["-force", "-batch", "-"], RoutingRemoval, ignore: "*");
    }

    private async Task InstallIptablesAsync(NetworkNamespace pod, string tool, bool isIpv6)
    {
        await RunAsync(pod, tool + "-restore", ["-w", "10", "--noflush"], CaptureScript.Iptables(dns, isIpv6));
        foreach (var (table, from, to) in CaptureScript.IptablesJumps(dns))
        {
            if (await TryAsync(pod, tool, ["-w", "10", "-t", table, "-C", from, "-j", to]) != 0)
                await RunAsync(pod, tool, ["-w", "10", "-t", table, "-A", from, "-j", to], null);
        }
    }

    private static async Task<int> TryAsync(NetworkNamespace pod, string tool, string[] arguments) => (await StartAsync(pod, tool, arguments, null)).ExitCode;

    private static async Task RunAsync(NetworkNamespace pod, string tool, string[] arguments, string? input, string? ignore = null)
    {
        var (exitCode, errors) = await StartAsync(pod, tool, arguments, input);
        if (exitCode == 0 || ignore == "*")
            return;
        var real = errors.Split('\n').Where(l => l.Length > 0 && !l.StartsWith("Command failed", StringComparison.Ordinal)
            && (ignore is null || !l.Contains(ignore, StringComparison.Ordinal))).ToList();
        if (ignore is null || real.Count > 0)
            throw new CaptureException($"'{tool} {string.Join(' ', arguments)}' failed in the pod's namespace {pod} with exit code {exitCode}: {string.Join("; ", real)}");
    }

    private static async Task<(int ExitCode, string Errors)> StartAsync(NetworkNamespace pod, string tool, string[] arguments, string? input)
    {
        var start = new ProcessStartInfo(tool, arguments)
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        Process process;
        try
        {
            process = pod.StartProcess(start);
        }
        catch (System.ComponentModel.Win32Exception failure)
        {
            throw new CaptureException($"'{tool}' cannot be started ({failure.Message}): install it, or set ZTUNNEL_CAPTURE_RULES=off and let the node's agent write the rules");
        }
        using var owned = process;
        using var deadline = new CancellationTokenSource(Deadline);
        try
        {
            if (input is not null)
                await process.StandardInput.WriteAsync(input.AsMemory(), deadline.Token);
            process.StandardInput.Close();
            var errors = process.StandardError.ReadToEndAsync(deadline.Token);
            var output = process.StandardOutput.ReadToEndAsync(deadline.Token);
            await process.WaitForExitAsync(deadline.Token);
            await output;
            return (process.ExitCode, await errors);
        }
        catch (OperationCanceledException)
        {
            process.Kill();
            throw new CaptureException($"'{tool}' did not finish within {Deadline.TotalSeconds:0} s in the pod's namespace {pod}");
        }
    }

    private static bool Exists(string tool) => (Environment.GetEnvironmentVariable("PATH") ?? string.Empty).Split(':')
        .Concat(["/usr/sbin", "/sbin"]).Any(folder => File.Exists(Path.Combine(folder, tool)));
}

/// <summary>The rules could not be brought into the wanted state; the message says which command and why.</summary>
internal sealed class CaptureException(string message) : Exception(message);
