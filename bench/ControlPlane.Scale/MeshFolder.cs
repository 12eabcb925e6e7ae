using System.Globalization;

namespace Mesh.ControlPlane.Scale;

/// <summary>The documents that the control plane serves, one file per pod as a controller would write them: complete, then moved into place.</summary>
internal sealed class MeshFolder(string root, int services)
{
    // 250 pods is what a large node carries.
    private const int PodsPerNode = 50;

    public string Root => root;

    public static string ResourceName(int pod) => $"Kubernetes//Pod/default/pod-{Number(pod)}";

    public void WriteAll(int pods)
    {
        Directory.CreateDirectory(root);
        for (var service = 0; service < services; service++)
        {
            File.WriteAllText(Path.Combine(root, $"service-{Number(service)}.yaml"), $$"""
                apiVersion: v1
                kind: Service
                metadata: { name: service-{{Number(service)}}, namespace: default }
                spec: { clusterIP: 198.19.{{service / 250}}.{{(service % 250) + 1}}, selector: { app: service-{{Number(service)}} }, ports: [ { name: http, port: 80, targetPort: 8080 } ] }
                """);
        }

        for (var pod = 0; pod < pods; pod++)
            File.WriteAllText(PathOf(pod), Text(pod, ready: true));
    }

    public void Write(int pod, bool ready)
    {
        var temporary = Path.Combine(root, $".pod-{Number(pod)}.new");
        File.WriteAllText(temporary, Text(pod, ready));
        File.Move(temporary, PathOf(pod), overwrite: true);
    }

    public void Delete(int pod) => File.Delete(PathOf(pod));

    private string PathOf(int pod) => Path.Combine(root, $"pod-{Number(pod)}.yaml");

    private string Text(int pod, bool ready) => $$"""
        apiVersion: v1
        kind: Pod
        metadata:
          name: pod-{{Number(pod)}}
          namespace: default
          uid: 00000000-0000-0000-0000-{{pod.ToString("x12", CultureInfo.InvariantCulture)}}
          labels: { app: service-{{Number(pod % services)}}, version: v1 }
          annotations: { ambient.istio.io/redirection: enabled }
        spec:
          nodeName: node-{{Number(pod / PodsPerNode)}}
          serviceAccountName: service-{{Number(pod % services)}}
          containers: [ { name: app, ports: [ { name: http, containerPort: 8080 } ] } ]
        status:
          phase: Running
          podIP: 10.{{pod >> 16}}.{{(pod >> 8) & 255}}.{{pod & 255}}
          conditions: [ { type: Ready, status: "{{(ready ? "True" : "False")}}" } ]
        """;

    private static string Number(int number) => number.ToString(CultureInfo.InvariantCulture);
}
