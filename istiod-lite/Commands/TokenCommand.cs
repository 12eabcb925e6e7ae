using Mesh.IstiodLite.Certificates;
using Mesh.Runtime;

namespace Mesh.IstiodLite.Commands;

/// <summary>istiod-lite token.</summary>
internal static class TokenCommand
{
    public static int Execute(TokenOptions options, TextWriter output, TextWriter error)
    {
        if (!DurationText.TryParse(options.Ttl, out var ttl) || ttl <= TimeSpan.Zero)
            return Wrong(error, $"--ttl is \"{options.Ttl}\"; write a duration such as 24h");
        if (options.Node is null == options.Workload is null)
            return Wrong(error, "say for whom: either --node NAME or --workload namespace/serviceaccount[/pod]");
        Caller caller;
        if (options.Node is { } node)
        {
            if (node.Length == 0 || node.Contains('/', StringComparison.Ordinal))
                return Wrong(error, $"--node is \"{node}\"; write the name of a node");
            caller = new NodeCaller(node);
        }
        else
        {
            var parts = options.Workload!.Split('/');
            if (parts.Length is not (2 or 3) || parts.Any(p => p.Length == 0))
                return Wrong(error, $"--workload is \"{options.Workload}\"; write namespace/serviceaccount or namespace/serviceaccount/pod");
            caller = new WorkloadCaller(parts[0], parts[1], parts.ElementAtOrDefault(2));
        }
        try
        {
            output.WriteLine(TokenKey.Open(options.StateDir).Issue(caller, TimeProvider.System.GetUtcNow() + ttl));
            return ExitCodes.Ok;
        }
        catch (StateException e)
        {
            error.WriteLine($"istiod-lite: {e.Message}");
            return e.ExitCode;
        }
    }

    private static int Wrong(TextWriter error, string message)
    {
        error.WriteLine($"istiod-lite: {message}");
        return ExitCodes.Usage;
    }
}
