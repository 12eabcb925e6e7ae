namespace Mesh.Meshctl.Demo;

/// <summary>What a step found: whether it holds, and what a person can see of it.</summary>
internal sealed record StepResult(bool Passed, string Summary, IReadOnlyList<string> Evidence)
{
    public static StepResult Of(bool passed, string summary, params IReadOnlyList<string> evidence) => new(passed, summary, evidence);
}

/// <summary>One thing that the demo shows.</summary>
internal interface IDemoStep
{
    int Number { get; }

    string Title { get; }

    Task<StepResult> RunAsync(DemoStage stage, CancellationToken cancel);
}

/// <summary>What the steps share: the mesh, the servers, and what an earlier step leaves for a later one.</summary>
internal sealed class DemoStage
{
    public required DemoMesh Mesh { get; init; }

    public required IReadOnlyDictionary<string, NginxServer> Servers { get; init; }

    public required string Documents { get; init; }

    /// <summary>Bytes that must not be on the wire in clear: the request carries one, the response the other.</summary>
    public required string RequestMarker { get; init; }

    public required string ResponseMarker { get; init; }

    /// <summary>Recordings of both uplinks, on from before the first request until step 2.</summary>
    public List<WireTap> Taps { get; } = [];

    /// <summary>When the broken instance was ejected (timestamp of the mesh's clock).</summary>
    public long EjectedAt { get; set; }

    public async Task<List<CurlResult>> RequestAsync(string pod, string url, int count, CancellationToken cancel, params string[] more)
    {
        var result = await Mesh.ExecAsync(pod, CurlRun.Command(url, count, more), cancel);
        return CurlRun.Parse(result.Output);
    }
}
