using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Sources.Documents;

/// <summary>The few fields of a Pod that matter here; the other fields of Kubernetes' schema are named so that a misspelt one is still found.</summary>
internal static class PodDecoder
{
    public static Resource Decode(ObjectMeta meta, DocumentPosition position, FieldReader root)
    {
        string node = "", account = "";
        var hostNetwork = false;
        List<ContainerPort> ports = [];
        root.Object("spec", spec =>
        {
            spec.Ignore("activeDeadlineSeconds", "affinity", "automountServiceAccountToken", "dnsConfig", "dnsPolicy", "enableServiceLinks", "ephemeralContainers",
                "hostAliases", "hostIPC", "hostPID", "hostUsers", "hostname", "imagePullSecrets", "nodeSelector", "os", "overhead", "preemptionPolicy", "priority",
                "priorityClassName", "readinessGates", "resourceClaims", "resources", "restartPolicy", "runtimeClassName", "schedulerName", "schedulingGates",
                "securityContext", "serviceAccount", "setHostnameAsFQDN", "shareProcessNamespace", "subdomain", "terminationGracePeriodSeconds", "tolerations",
                "topologySpreadConstraints", "volumes");
            node = spec.String("nodeName") ?? "";
            account = spec.String("serviceAccountName") ?? "";
            hostNetwork = spec.Bool("hostNetwork") ?? false;
            var containers = spec.Objects("containers", Container);
            var inits = spec.Objects("initContainers", Container);
            ports.AddRange(containers.SelectMany(c => c.Ports));
            ports.AddRange(inits.Where(c => c.Restartable).SelectMany(c => c.Ports));
        });

        var phase = "";
        var ready = false;
        List<string> addresses = [];
        root.Object("status", status =>
        {
            status.Ignore("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses", "hostIP", "hostIPs", "message", "nominatedNodeName",
                "observedGeneration", "qosClass", "reason", "resize", "resourceClaimStatuses", "startTime");
            phase = status.String("phase") ?? "";
            ready = status.Objects("conditions", Condition).Any(c => c is { Type: "Ready", Status: "True" });
            addresses.AddRange(status.Objects("podIPs", ip => new IpHolder(ip.String("ip") ?? "")).Select(h => h.Ip));
            if (status.String("podIP") is { Length: > 0 } single && addresses.Count == 0)
                addresses.Add(single);
        });

        return new Pod
        {
            Meta = meta,
            Position = position,
            NodeName = node,
            ServiceAccount = account,
            HostNetwork = hostNetwork,
            Phase = phase,
            Ready = ready,
            Addresses = addresses,
            Ports = ports,
        };
    }

    private sealed record IpHolder(string Ip);

    private sealed record DecodedContainer(bool Restartable, IReadOnlyList<ContainerPort> Ports);

    private static DecodedContainer Container(FieldReader c)
    {
        c.Ignore("name", "image", "imagePullPolicy", "args", "command", "env", "envFrom", "lifecycle", "livenessProbe", "readinessProbe", "startupProbe", "resizePolicy",
            "resources", "securityContext", "stdin", "stdinOnce", "terminationMessagePath", "terminationMessagePolicy", "tty", "volumeDevices", "volumeMounts", "workingDir",
            "restartPolicyRules");
        return new DecodedContainer(c.String("restartPolicy") == "Always", c.Objects("ports", p =>
        {
            p.Ignore("hostIP", "hostPort");
            return new ContainerPort(p.String("name") ?? "", p.Port("containerPort") ?? 0, p.String("protocol") ?? "TCP");
        }));
    }

    private sealed record PodCondition(string Type, string Status);

    private static PodCondition Condition(FieldReader c)
    {
        c.Ignore("lastProbeTime", "lastTransitionTime", "message", "reason", "observedGeneration");
        return new PodCondition(c.String("type") ?? "", c.String("status") ?? "");
    }
}
