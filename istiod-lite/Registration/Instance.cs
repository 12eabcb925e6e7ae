using System.Text.Json.Serialization;
using Mesh.IstiodLite.Resources;

namespace Mesh.IstiodLite.Registration;

/// <summary>What a machine or process says of itself; the body of a registration. Absent fields are the group's.</summary>
internal sealed record InstanceRequest
{
    /// <summary>IP address under which the mesh reaches it; absent: the one that the request came from.</summary>
    public string? Address { get; init; }
    public IReadOnlyDictionary<string, int>? Ports { get; init; }
    public IReadOnlyDictionary<string, string>? Labels { get; init; }
    public string? Network { get; init; }
    public string? Locality { get; init; }
    public uint? Weight { get; init; }
    /// <summary>A heartbeat must come within each such time; absent: 30s, or never where a check is there instead.</summary>
    public string? Ttl { get; init; }
    public CheckRequest? Check { get; init; }
    /// <summary>An instance that is out for so long is forgotten; absent: 10m.</summary>
    public string? ForgetAfter { get; init; }
}

/// <summary>What the control plane asks the instance; exactly one of <see cref="Http"/> and <see cref="Tcp"/>.</summary>
internal sealed record CheckRequest
{
    public HttpCheck? Http { get; init; }
    public TcpCheck? Tcp { get; init; }
    public string? Interval { get; init; }
    public string? Timeout { get; init; }
    public int? Failures { get; init; }
    public int? Successes { get; init; }
}

internal sealed record HttpCheck(int Port, string? Path);

internal sealed record TcpCheck(int Port);

internal sealed record HeartbeatRequest
{
    public bool Healthy { get; init; } = true;
    public string? Reason { get; init; }
}

/// <summary>How an instance is judged, after validation.</summary>
internal sealed record Check(HttpCheck? Http, TcpCheck? Tcp, TimeSpan Interval, TimeSpan Timeout, int Failures, int Successes);

/// <summary>One registered instance as it is known now. Immutable: a change is a new one.</summary>
internal sealed record Instance
{
    public required string Namespace { get; init; }
    public required string Group { get; init; }
    public required string Name { get; init; }
    public required string ServiceAccount { get; init; }
    public required InstanceRequest Request { get; init; }
    public required string Address { get; init; }
    /// <summary>Null: no heartbeats are needed.</summary>
    public required TimeSpan? Ttl { get; init; }
    public required TimeSpan ForgetAfter { get; init; }
    public required Check? Check { get; init; }
    public bool Healthy { get; init; }
    public string Reason { get; init; } = string.Empty;

    public InstanceKey Key => new(Namespace, Group, Name);
    /// <summary>Of the WorkloadEntry that stands for it.</summary>
    public ResourceKey EntryKey => new("WorkloadEntry", Namespace, $"{Group}-{Name}");
}

internal readonly record struct InstanceKey(string Namespace, string Group, string Name)
{
    public override string ToString() => $"{Namespace}/{Group}/{Name}";
}

/// <summary>An instance as answers show it.</summary>
internal sealed record InstanceReply(string Namespace, string Group, string Name, string Address, string State, string Reason, string Identity, string? HeartbeatWithin);

internal sealed record ErrorReply(string Error, string Fix);

/// <summary>What survives a restart.</summary>
internal sealed record SavedInstance(string Namespace, string Group, string Name, string ServiceAccount, string Address, bool Healthy, InstanceRequest Request);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(InstanceRequest))]
[JsonSerializable(typeof(HeartbeatRequest))]
[JsonSerializable(typeof(InstanceReply))]
[JsonSerializable(typeof(List<InstanceReply>))]
[JsonSerializable(typeof(ErrorReply))]
[JsonSerializable(typeof(List<SavedInstance>))]
internal sealed partial class RegistrationJson : JsonSerializerContext;
