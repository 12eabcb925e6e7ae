using Mesh.Kubernetes.Objects;
using Mesh.Ztunnel.NodeAgent.Cluster;

namespace Mesh.Ztunnel.Tests.NodeAgent.Cluster;

/// <summary>istio-cni's truth table, and what is never captured whatever the labels say.</summary>
public sealed class EnrolmentTests
{
    private static readonly EnrolmentRule Rule = new(new HashSet<string>(StringComparer.Ordinal) { "kube-system" }, "istio-system");

    [Theory]
    [InlineData(null, null, false)]
    [InlineData(null, "ambient", true)]
    [InlineData("ambient", null, true)]
    [InlineData("ambient", "none", false)]
    [InlineData("ambient", "ambient", true)]
    [InlineData("none", "ambient", true)]
    [InlineData("none", null, false)]
    [InlineData("none", "none", false)]
    [InlineData("ambient", "off", true)]
    [InlineData(null, "on", false)]
    [InlineData("Ambient", null, false)]
    public void Judge_OfEachPairOfLabels_FollowsTheTable(string? ns, string? pod, bool enrolled) =>
        Assert.Equal(enrolled ? Enrolment.Enrolled : Enrolment.NotAsked, Rule.Judge(Pod(pod), Labels(ns)));

    [Fact]
    public void Judge_OfWhatCannotTakePart_SaysWhy()
    {
        var asked = Pod("ambient");
        Assert.Equal(Enrolment.HostNetwork, Rule.Judge(asked with { Spec = new PodSpec { HostNetwork = true } }, null));
        Assert.Equal(Enrolment.Sidecar, Rule.Judge(asked with { Metadata = asked.Metadata with { Annotations = new Dictionary<string, string> { ["sidecar.istio.io/status"] = "" } } }, null));
        Assert.Equal(Enrolment.Ended, Rule.Judge(asked with { Status = new PodStatus { Phase = "Succeeded" } }, null));
        Assert.Equal(Enrolment.ExcludedNamespace, Rule.Judge(asked with { Metadata = asked.Metadata with { Namespace = "kube-system" } }, null));
        Assert.Equal(Enrolment.Own, Rule.Judge(Pod("ambient", "istio-system", "ztunnel"), null));
        // Somebody else's pod of that name in another namespace is a pod like any other.
        Assert.Equal(Enrolment.Enrolled, Rule.Judge(Pod("ambient", "shop", "ztunnel"), null));
    }

    [Theory]
    [InlineData(Enrolment.HostNetwork, true)]
    [InlineData(Enrolment.Sidecar, true)]
    [InlineData(Enrolment.NotAsked, false)]
    [InlineData(Enrolment.Ended, false)]
    internal void Explain_OnlyWhatSomebodyAskedFor(Enrolment enrolment, bool told) => Assert.Equal(told, EnrolmentRule.Explain(enrolment) is not null);

    internal static PodObject Pod(string? label, string ns = "default", string? app = null)
    {
        var labels = new Dictionary<string, string>(StringComparer.Ordinal);
        if (label is not null)
            labels[EnrolmentRule.Label] = label;
        if (app is not null)
            labels["app"] = app;
        return new PodObject { Metadata = new ObjectMeta { Name = "p", Namespace = ns, Uid = "u", Labels = labels } };
    }

    private static Dictionary<string, string>? Labels(string? value) => value is null ? null : new Dictionary<string, string>(StringComparer.Ordinal) { [EnrolmentRule.Label] = value };
}
