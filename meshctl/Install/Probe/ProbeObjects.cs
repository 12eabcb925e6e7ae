using System.Text;

namespace Mesh.Meshctl.Install.Probe;

/// <summary>
/// What the probe puts into a cluster: a namespace in the mesh, a server, a client, and a policy by which the client's identity may reach one of the
/// server's two ports and nobody the other. Pods end by themselves; the restricted pod security standard lets them pass.
/// </summary>
/// <param name="image">The agent's, which the nodes have already.</param>
internal sealed class ProbeObjects(string ns, string image)
{
    public const string Server = "server";
    public const string Client = "client";

    /// <summary>By which a probe that was killed is found by the next one.</summary>
    public const string PartOf = "mesh-probe";

    public const int AllowedPort = 8080;

    /// <summary>Longer than any probe: it is what is left to end pods of a meshctl that was killed.</summary>
    private const int LongestLife = 900;

    public string Namespace => ns;

    public ManifestObject Home => new($"""
        apiVersion: v1
        kind: Namespace
        metadata:
          name: {ns}
          labels:
            app.kubernetes.io/part-of: {PartOf}
            istio.io/dataplane-mode: ambient
            pod-security.kubernetes.io/enforce: restricted

        """);

    public ManifestObject Account(string name) => new($"""
        apiVersion: v1
        kind: ServiceAccount
        metadata:
          name: {name}
          namespace: {ns}
        automountServiceAccountToken: false

        """);

    public ManifestObject Policy => new($"""
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata:
          name: {Server}
          namespace: {ns}
        spec:
          selector:
            matchLabels:
              app: {Server}
          action: ALLOW
          rules:
            - from:
                - source:
                    principals: ["*/ns/{ns}/sa/{Client}"]
              to:
                - operation:
                    ports: ["{AllowedPort}"]

        """);

    public ManifestObject ServerPod => Pod(Server, "serve");

    /// <param name="address">Of the server.</param>
    public ManifestObject ClientPod(string address, TimeSpan patience) => Pod(Client, "dial", address, $"{(int)patience.TotalSeconds}");

    /// <summary>For people: in the order of applying.</summary>
    public string ToYaml()
    {
        var text = new StringBuilder("# The probe of meshctl check --probe: applied in this order, and removed again whatever comes of it.\n");
        foreach (var item in (ManifestObject[])[Home, Account(Server), Account(Client), Policy, ServerPod, ClientPod("ADDRESS-OF-SERVER", TimeSpan.FromMinutes(1))])
            text.Append("---\n").Append(item.Text.TrimEnd('\n')).Append('\n');
        return text.ToString();
    }

    private ManifestObject Pod(string name, params string[] arguments) => new($$"""
        apiVersion: v1
        kind: Pod
        metadata:
          name: {{name}}
          namespace: {{ns}}
          labels:
            app: {{name}}
            app.kubernetes.io/part-of: {{PartOf}}
        spec:
          serviceAccountName: {{name}}
          automountServiceAccountToken: false
          restartPolicy: Never
          terminationGracePeriodSeconds: 1
          activeDeadlineSeconds: {{LongestLife}}
          affinity:
            podAntiAffinity:
              preferredDuringSchedulingIgnoredDuringExecution:
                - weight: 100
                  podAffinityTerm:
                    topologyKey: kubernetes.io/hostname
                    labelSelector:
                      matchLabels:
                        app.kubernetes.io/part-of: {{PartOf}}
          securityContext:
            runAsNonRoot: true
            runAsUser: 65532
            runAsGroup: 65532
            seccompProfile:
              type: RuntimeDefault
          containers:
            - name: probe
              image: {{image}}
              imagePullPolicy: IfNotPresent
              command: [/app/ztunnel, probe]
              args: [{{string.Join(", ", arguments.Select(a => $"\"{a}\""))}}]
              env:
                - name: DOTNET_EnableDiagnostics
                  value: "0"
              securityContext:
                allowPrivilegeEscalation: false
                readOnlyRootFilesystem: true
                capabilities:
                  drop: [ALL]
              resources:
                requests:
                  cpu: 10m
                  memory: 32Mi
                limits:
                  memory: 128Mi

        """);
}
