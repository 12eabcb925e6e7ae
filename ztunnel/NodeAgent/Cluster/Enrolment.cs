namespace Mesh.Ztunnel.NodeAgent.Cluster;

/// <summary>Whether a pod takes part, and if not, why.</summary>
internal enum Enrolment
{
    Enrolled,
    NotAsked,

    /// <summary>Asked for, and cannot be: it has no network namespace of its own.</summary>
    HostNetwork,

    /// <summary>Asked for, and already in a mesh by its sidecar.</summary>
    Sidecar,

    ExcludedNamespace,

    /// <summary>Part of the mesh itself.</summary>
    Own,

    /// <summary>Succeeded or failed: it runs no more.</summary>
    Ended,
}

/// <summary>The rule of istio-cni with its default selectors: who asks (<see cref="OptIn"/>), and who of those can.</summary>
/// <param name="excluded">Namespaces whose pods are never captured.</param>
/// <param name="home">The namespace of the mesh's own pods.</param>
internal sealed class EnrolmentRule(IReadOnlySet<string> excluded, string home)
{
    public const string Label = OptIn.Label;

    /// <summary>Written by sidecar injection; its value does not matter.</summary>
    private const string SidecarStatus = "sidecar.istio.io/status";

    public Enrolment Judge(PodObject pod, IReadOnlyDictionary<string, string>? namespaceLabels)
    {
        if (!OptIn.IsAsked(pod.Label(Label), namespaceLabels?.GetValueOrDefault(Label)))
            return Enrolment.NotAsked;
        if (excluded.Contains(pod.Key.Namespace))
            return Enrolment.ExcludedNamespace;
        if (pod.Key.Namespace == home && pod.Label("app") == "ztunnel")
            return Enrolment.Own;
        if (pod.Status.Phase is "Succeeded" or "Failed")
            return Enrolment.Ended;
        if (pod.Spec.HostNetwork == true)
            return Enrolment.HostNetwork;
        return pod.Annotation(SidecarStatus) is null ? Enrolment.Enrolled : Enrolment.Sidecar;
    }

    /// <summary>For the Event on a pod that asked and is not captured; null where nobody needs to be told.</summary>
    public static string? Explain(Enrolment enrolment) => enrolment switch
    {
        Enrolment.HostNetwork => "the pod uses the node's own network (hostNetwork: true) and cannot be captured: its connections stay outside the mesh; give it a network of its own, or label it istio.io/dataplane-mode=none",
        Enrolment.Sidecar => "the pod has a sidecar (annotation sidecar.istio.io/status) and stays with it; take it out of injection and recreate it to move it",
        _ => null,
    };
}
