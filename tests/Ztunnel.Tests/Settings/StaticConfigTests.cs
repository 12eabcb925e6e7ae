using Mesh.Model;
using Mesh.Model.Policy;
using Mesh.Model.Workloads;
using Mesh.Ztunnel.Settings;

namespace Mesh.Ztunnel.Tests.Settings;

/// <summary>Files that the Rust ztunnel reads, read by us.</summary>
public sealed class StaticConfigTests
{
    private const string Example = """
        # Example of a local configuration
        workloads:
        - uid: cluster1//v1/Pod/default/local
          name: local
          namespace: default
          serviceAccount: default
          workloadIps: ["127.0.0.1"]
          protocol: HBONE
          node: local
          network: ""
          services:
            "default/example.com":
              80: 8080
              "9090": 9091
          waypoint:
            destination: "/127.0.0.10"
            hboneMtlsPort: 15009
          locality: {region: r, zone: z}
          capacity: 3
        policies:
        - action: Allow
          rules:
          - - - notDestinationPorts: [9999]
                principals: [!Exact "cluster.local/ns/a/sa/b", !Suffix "/sa/c", !Presence ~]
          name: deny-9999
          namespace: default
          scope: Namespace
          dryRun: false
        services:
        - name: local
          namespace: default
          hostname: example.com
          vips: ["/127.10.0.1", "remote/127.10.0.2"]
          ports: {80: 8080}
          subjectAltNames: ["spiffe://cluster.local/ns/default/sa/local"]
          loadBalancer: {routingPreferences: [Network, Zone], mode: Failover, healthPolicy: AllowAll}
          waypoint: {destination: default/waypoint.example, hboneMtlsPort: 15008}
        """;

    [Fact]
    public void Example_IsUnderstood()
    {
        var update = StaticConfig.Parse(Example, "example.yaml");
        var workload = Assert.Single(update.Workloads);
        Assert.Equal((TunnelProtocol.Hbone, 3u, "/127.0.0.10:15009"), (workload.Protocol, workload.Capacity, workload.Waypoint!.ToString()));
        Assert.True(workload.Services[0].Ports.TryGetTarget(9090, out var target) && target == 9091);
        Assert.Equal("", workload.TrustDomain);
        var service = Assert.Single(update.Services);
        Assert.Equal("remote/127.10.0.2", service.Vips[1].ToString());
        Assert.Equal((LoadBalancerMode.Failover, HealthPolicy.AllowAll), (service.LoadBalancer!.Mode, service.LoadBalancer.HealthPolicy));
        Assert.Equal("default/waypoint.example", service.Waypoint!.Destination);
        var (name, policy) = Assert.Single(update.Policies);
        Assert.Equal(("default/deny-9999", PolicyAction.Allow), (name, policy.Action));
        var match = policy.Rules[0].Clauses[0].Matches[0];
        Assert.Equal([StringMatch.Exact("cluster.local/ns/a/sa/b"), StringMatch.Suffix("/sa/c"), StringMatch.Presence], match.Principals);
    }

    [Theory]
    [InlineData("workload: []", "unknown key 'workload'", 1)]
    [InlineData("workloads:\n- name: a\n  namespace: b", "'workloadIps' is missing", 2)]
    [InlineData("workloads:\n- namespace: b\n  workloadIps: [nowhere]", "'nowhere' is not an address", 3)]
    [InlineData("workloads:\n- namespace: b\n  workloadIps: []\n  protocol: TLS", "must be one of TCP, HBONE", 4)]
    [InlineData("services:\n- name: a\n  namespace: b\n  hostname: c\n  ports: {80: many}", "'many' is not a port", 5)]
    [InlineData("services:\n- name: a\n  namespace: b\n  hostname: c\n  subjectAltNames: [nobody]", "'nobody' is not spiffe://", 5)]
    [InlineData("services:\n- name: a\n  namespace: b\n  hostname: c\n  cidrVips: [{cidr: 10.0.0.0/64}]", "'10.0.0.0/64' is not an address block", 5)]
    [InlineData("services:\n- name: a\n  namespace: b\n  hostname: c\n  loadBalancer: {routingPreferences: [Rack]}", "must be one of Region, Zone, Subzone", 5)]
    [InlineData("services:\n- name: a\n  namespace: b\n  hostname: c\n  weightedWaypoints: [{destination: {destination: /1.2.3.4}, weight: -1}]", "'-1' is not a whole number", 5)]
    [InlineData("workloads:\n- namespace: b\n  workloadIps: []\n  capacity: many", "'many' is not a whole number", 4)]
    [InlineData("policies:\n- name: a\n  namespace: b\n  scope: Namespace\n  dryRun: false\n  rules: []", "'action' is missing", 2)]
    [InlineData("policies:\n- name: a\n  namespace: b\n  scope: Namespace\n  action: Allow\n  rules: []", "'dryRun' is missing", 2)]
    [InlineData("policies:\n- name: a\n  namespace: b\n  scope: Namespace\n  action: Allow\n  dryRun: false\n  rules:\n  - - - ports: [1]", "unknown key 'ports'", 8)]
    public void Mistake_IsNamedWithItsLine(string yaml, string complaint, int line)
    {
        var failure = Assert.Throws<StartException>(() => StaticConfig.Parse(yaml, "x.yaml"));
        Assert.Contains(complaint, failure.Message, StringComparison.Ordinal);
        Assert.Contains($"x.yaml, line {line}:", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Text_ThatIsNotYaml_IsNamedWithItsLine() =>
        Assert.Contains("x.yaml, line ", Assert.Throws<StartException>(() => StaticConfig.Parse("workloads: [", "x.yaml")).Message, StringComparison.Ordinal);

    [Fact]
    public void EmptyFile_IsNothing() => Assert.Empty(StaticConfig.Parse("", "x.yaml").Workloads);
}
