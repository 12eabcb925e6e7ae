using Mesh.Kubernetes;

namespace Mesh.Meshctl.Install;

/// <summary>What a person does about a kind that is missing.</summary>
internal static class Remedies
{
    public const string GatewayApi =
        "Install the Gateway API (its 'standard' release, version 1.1 or later: standard-install.yaml of the kubernetes-sigs/gateway-api project), or install without waypoints: --set gatewayClasses=false";

    public static string ForKind(ResourceType type) => type.Group switch
    {
        "gateway.networking.k8s.io" => GatewayApi + ".",
        "monitoring.coreos.com" => "Install the Prometheus operator first, or --set serviceMonitor=false.",
        _ => "The cluster is too old for it: Kubernetes 1.27 or later is needed.",
    };
}
