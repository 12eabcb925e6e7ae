using System.Text.Json.Serialization;

namespace Mesh.Meshctl.Control;

/// <summary>What the command line asks the daemon. One request per connection, as one line of JSON; the answer is one line too.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "verb")]
[JsonDerivedType(typeof(StatusRequest), "status")]
[JsonDerivedType(typeof(RunRequest), "run")]
[JsonDerivedType(typeof(FindPodRequest), "find-pod")]
[JsonDerivedType(typeof(DeletePodRequest), "delete-pod")]
[JsonDerivedType(typeof(ApplyRequest), "apply")]
[JsonDerivedType(typeof(DeleteDocumentsRequest), "delete-documents")]
[JsonDerivedType(typeof(DownRequest), "down")]
[JsonDerivedType(typeof(LeaseRequest), "lease")]
[JsonDerivedType(typeof(WhyRequest), "why")]
internal abstract record ControlRequest;

internal sealed record StatusRequest : ControlRequest;

/// <summary>Makes a pod. With <see cref="Foreground"/> the caller starts the program itself and the pod lives as long as the connection.</summary>
internal sealed record RunRequest : ControlRequest
{
    public required string Name { get; init; }
    public string Namespace { get; init; } = "default";
    public string ServiceAccount { get; init; } = "default";
    public Dictionary<string, string> Labels { get; init; } = new(StringComparer.Ordinal);
    public string? Node { get; init; }
    public bool InMesh { get; init; } = true;
    public bool Foreground { get; init; }

    /// <summary>Program and arguments; empty: the pod only waits for <c>exec</c>.</summary>
    public List<string> Program { get; init; } = [];
    public Dictionary<string, string> Environment { get; init; } = new(StringComparer.Ordinal);
    public string WorkingDirectory { get; init; } = "/";

    /// <summary>Ready only when something listens on this port; 0: ready when started.</summary>
    public int ReadyPort { get; init; }
}

/// <summary>A pod by name, or by namespace/name.</summary>
internal sealed record FindPodRequest(string Pod) : ControlRequest;

internal sealed record DeletePodRequest(string Pod) : ControlRequest;

internal sealed record ApplyRequest(List<SourceFile> Files) : ControlRequest;

internal sealed record DeleteDocumentsRequest(List<SourceFile> Files, List<string> Names) : ControlRequest;

internal sealed record SourceFile(string Name, string Text);

internal sealed record DownRequest : ControlRequest;

/// <summary>The mesh goes down when this connection ends, unless a line "release" came before.</summary>
internal sealed record LeaseRequest : ControlRequest;

/// <summary>Decision records of connections, at every hop; each part that is given must hold at one of them.</summary>
internal sealed record WhyRequest : ControlRequest
{
    public string? From { get; init; }
    public string? To { get; init; }
    public string? Id { get; init; }
    public string? Ending { get; init; }

    /// <summary>How many connections.</summary>
    public int Limit { get; init; } = 1;
}

/// <summary>What the daemon answers.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "reply")]
[JsonDerivedType(typeof(DoneReply), "done")]
[JsonDerivedType(typeof(ErrorReply), "error")]
[JsonDerivedType(typeof(PodReply), "pod")]
[JsonDerivedType(typeof(ApplyReply), "apply")]
[JsonDerivedType(typeof(StatusReply), "status")]
[JsonDerivedType(typeof(WhyReply), "why")]
internal abstract record ControlReply;

internal sealed record DoneReply(string Text) : ControlReply;

internal sealed record ErrorReply(int ExitCode, string Message) : ControlReply;

internal sealed record PodReply(PodStatus Pod, string NetworkNamespace, string Hosts, string Resolver) : ControlReply;

internal sealed record ApplyReply(bool Accepted, List<string> Applied, List<DocumentProblem> Problems) : ControlReply;

/// <summary>One finding of the control plane about one document.</summary>
internal sealed record DocumentProblem(string File, int Line, string Document, string Severity, string Reason, string Fix)
{
    public bool IsError => Severity.Equals("error", StringComparison.OrdinalIgnoreCase);
}

internal sealed record StatusReply(
    string Name, int Nodes, List<PodStatus> Pods, List<ComponentStatus> Components, List<CertificateStatus> Certificates, List<DocumentStatus> Documents, List<DocumentProblem> Problems,
    List<string> Faults) : ControlReply;

/// <summary>What each proxy said.</summary>
internal sealed record WhyReply(List<ProxyDecisions> Proxies) : ControlReply;

/// <param name="Records">Objects of docs/decisions.md, as text.</param>
/// <param name="Error">Why it could not be asked.</param>
internal sealed record ProxyDecisions(string Proxy, string Where, List<string> Records, string? Error);

internal sealed record PodStatus(
    string Namespace, string Name, string Node, string Address, string Identity, string Mesh, string State, Dictionary<string, string> Labels, string Log);

internal sealed record ComponentStatus(string Name, string Where, string State, int ProcessId, int Restarts, string? LastExit, string Log);

internal sealed record CertificateStatus(string Proxy, string Identity, string State, string? ValidUntil, string? SerialNumber);

internal sealed record DocumentStatus(string Kind, string Namespace, string Name, string File);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ControlRequest))]
[JsonSerializable(typeof(ControlReply))]
[JsonSerializable(typeof(List<DocumentProblem>))]
internal sealed partial class ControlJson : JsonSerializerContext;
