namespace Mesh.Ztunnel.Local;

/// <summary>Who a pod is, as the node's pod source names it. The trust domain is not in here: the control plane knows it.</summary>
internal sealed record PodInfo(string Name, string Namespace, string ServiceAccount)
{
    public PodCapture Capture { get; init; } = PodCapture.AsTheNode;

    public override string ToString() => $"{Namespace}/{Name}";
}

/// <summary>What a pod wants otherwise than its node (reference: istiod 1, annotations). Counts from the pod's capture on, not for one that is captured already.</summary>
/// <param name="Dns">Whether its questions to name servers are answered by us; null: as the node has it.</param>
/// <param name="BypassInbound">Plaintext that comes to it goes to its program and not through us: for ingress gateways. What leaves it is captured all the same.</param>
internal sealed record PodCapture(bool? Dns = null, bool BypassInbound = false)
{
    public const string DnsAnnotation = "ambient.istio.io/dns-capture";
    public const string BypassAnnotation = "ambient.istio.io/bypass-inbound-capture";

    public static readonly PodCapture AsTheNode = new();

    /// <summary>Values other than true and false say nothing.</summary>
    public static PodCapture Of(IReadOnlyDictionary<string, string>? annotations) => annotations is null ? AsTheNode : new PodCapture(
        annotations.GetValueOrDefault(DnsAnnotation) switch
        {
            "true" => true,
            "false" => false,
            _ => null,
        },
        annotations.GetValueOrDefault(BypassAnnotation) == "true");
}
