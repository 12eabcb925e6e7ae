using Mesh.Kubernetes;

namespace Mesh.Meshctl.Install;

/// <summary>What a person does about a kind that is missing, or a cluster that does not do as it is asked.</summary>
internal static class Remedies
{
    public const string GatewayApi =
        "Install the Gateway API (its 'standard' release, version 1.1 or later: standard-install.yaml of the kubernetes-sigs/gateway-api project), or install without waypoints: --set gatewayClasses=false";

    /// <summary>Goes on a sentence that says what failed; empty: it says enough.</summary>
    public static string ForFailure(KubeFailure failure) => failure switch
    {
        KubeFailure.Unreachable => "; does the cluster run, and is it the one that is meant? --kubeconfig and --context name another",
        KubeFailure.Unauthorized => "; the credentials of this kubeconfig are not, or no longer, good: log in again, or name others with --kubeconfig and --context",
        KubeFailure.Forbidden => "; 'meshctl check' lists the rights that the commands need",
        KubeFailure.Malformed => "; what answers there may be no API server: look at the server of the kubeconfig",
        _ => string.Empty,
    };

    public static string ForKind(ResourceType type) => type.Group switch
    {
        "gateway.networking.k8s.io" => GatewayApi + ".",
        "monitoring.coreos.com" => "Install the Prometheus operator first, or --set serviceMonitor=false.",
        _ => "The cluster is too old for it: Kubernetes 1.27 or later is needed.",
    };
}
