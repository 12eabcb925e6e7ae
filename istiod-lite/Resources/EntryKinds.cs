namespace Mesh.IstiodLite.Resources;

internal sealed record EntryEndpoint
{
    public string Address { get; init; } = string.Empty;
    public IReadOnlyDictionary<string, int> Ports { get; init; } = new Dictionary<string, int>(StringComparer.Ordinal);
    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);
    public string Network { get; init; } = string.Empty;
    public string Locality { get; init; } = string.Empty;
    public uint Weight { get; init; }
    public string ServiceAccount { get; init; } = string.Empty;
}

internal sealed class WorkloadEntry : Resource
{
    public override string Kind => "WorkloadEntry";
    /// <summary>False: it exists, but must not be sent new connections.</summary>
    public bool Healthy { get; init; } = true;
    public EntryEndpoint Endpoint { get; init; } = new();
}

internal sealed class WorkloadGroup : Resource
{
    public override string Kind => "WorkloadGroup";
    public IReadOnlyDictionary<string, string> TemplateLabels { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);
    public EntryEndpoint Template { get; init; } = new();

    /// <summary>How instances are checked that do not say so themselves; null: not at all, or in a way that only the instance itself can (exec, grpc).</summary>
    public GroupProbe? Probe { get; init; }
}

/// <summary>spec.probe of a WorkloadGroup, as far as the control plane can do it from outside.</summary>
/// <param name="Path">Null: a connection is enough.</param>
internal sealed record GroupProbe(int Port, string? Path, TimeSpan Interval, TimeSpan Timeout, int Failures, int Successes);

internal enum EntryResolution
{
    None,
    Static,
    Dns,
    DnsRoundRobin,
    DynamicDns,
}

internal sealed record EntryPort(string Name, int Number, string Protocol, int TargetPort);

internal sealed class ServiceEntry : Resource
{
    public override string Kind => "ServiceEntry";
    public IReadOnlyList<string> Hosts { get; init; } = [];
    public IReadOnlyList<string> Addresses { get; init; } = [];
    public IReadOnlyList<EntryPort> Ports { get; init; } = [];
    public bool External { get; init; } = true;
    public EntryResolution Resolution { get; init; }
    public IReadOnlyList<EntryEndpoint> Endpoints { get; init; } = [];
    public IReadOnlyDictionary<string, string>? WorkloadSelector { get; init; }
    public IReadOnlyList<string> SubjectAltNames { get; init; } = [];
    public IReadOnlyList<string> ExportTo { get; init; } = [];
    /// <summary>status.addresses: what an earlier run allocated.</summary>
    public IReadOnlyList<(string Host, string Address)> AllocatedAddresses { get; init; } = [];
    public IReadOnlyList<string> ConditionTypes { get; init; } = [];

    public bool ResolvesByDns => Resolution is EntryResolution.Dns or EntryResolution.DnsRoundRobin or EntryResolution.DynamicDns;
}
