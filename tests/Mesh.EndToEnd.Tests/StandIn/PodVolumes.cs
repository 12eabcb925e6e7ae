using System.Text.Json.Nodes;

using Mesh.Testing.Kubernetes;

namespace Mesh.EndToEnd.Tests.StandIn;

/// <summary>The volumes of a pod as folders, and what every pod has: a token for the API server where it wants one.</summary>
internal sealed class PodVolumes(FakeApiServer server, JsonObject pod, string folder)
{
    public const string ServiceAccount = "/var/run/secrets/kubernetes.io/serviceaccount";

    private static readonly TimeSpan ShortestLife = TimeSpan.FromMinutes(10);

    private readonly Dictionary<string, string> _paths = new(StringComparer.Ordinal);

    private string Namespace => (string)pod["metadata"]!["namespace"]!;

    private string Name => (string)pod["metadata"]!["name"]!;

    private string Account => (string?)pod["spec"]!["serviceAccountName"] ?? "default";

    /// <returns>What is not there yet; null: everything is.</returns>
    public string? Prepare()
    {
        foreach (var volume in (pod["spec"]!["volumes"] as JsonArray ?? []).OfType<JsonObject>())
        {
            var name = (string)volume["name"]!;
            var path = Path.Combine(folder, "volumes", name);
            if (volume["hostPath"] is { } host)
            {
                _paths[name] = (string)host["path"]!;
                continue;
            }
            Directory.CreateDirectory(path);
            _paths[name] = path;
            if (volume["emptyDir"] is not null)
                File.SetUnixFileMode(path, (UnixFileMode)0x1FF);
            else if (volume["configMap"] is { } map && !Take(path, (string)map["name"]!))
                return $"configmap \"{map["name"]}\" not found";
            foreach (var source in (volume["projected"]?["sources"] as JsonArray ?? []).OfType<JsonObject>())
            {
                if (source["serviceAccountToken"] is { } token)
                    Write(path, (string)token["path"]!, server.Tokens.Issue(Namespace, Account, [(string?)token["audience"] ?? Mesh.Testing.Kubernetes.Access.Tokens.ApiAudience], Life((int?)token["expirationSeconds"]), Name));
                else if (source["configMap"] is { } projected && !Take(path, (string)projected["name"]!))
                    return $"configmap \"{projected["name"]}\" not found";
            }
        }
        if ((bool?)pod["spec"]!["automountServiceAccountToken"] != false)
        {
            var path = Path.Combine(folder, "volumes", "kube-api-access");
            Directory.CreateDirectory(path);
            Write(path, "token", server.Tokens.Issue(Namespace, Account, [Mesh.Testing.Kubernetes.Access.Tokens.ApiAudience], TimeSpan.FromHours(1), Name));
            Write(path, "ca.crt", server.AuthorityPem);
            Write(path, "namespace", Namespace);
            _paths["kube-api-access"] = path;
        }
        return null;
    }

    /// <summary>What hostPath volumes of type DirectoryOrCreate need on the node.</summary>
    public IEnumerable<string> FoldersOfTheNode() => (pod["spec"]!["volumes"] as JsonArray ?? []).Select(v => (string?)v!["hostPath"]?["path"]).OfType<string>().Where(p => p != "/proc");

    public IEnumerable<ContainerMount> Of(JsonNode container)
    {
        foreach (var mount in (container["volumeMounts"] as JsonArray ?? []).OfType<JsonObject>())
            yield return new ContainerMount(_paths[(string)mount["name"]!], (string)mount["mountPath"]!, (bool?)mount["readOnly"] == true, (string?)mount["mountPropagation"] == "HostToContainer");
        if (_paths.TryGetValue("kube-api-access", out var token))
            yield return new ContainerMount(token, ServiceAccount, ReadOnly: true);
    }

    private bool Take(string path, string map)
    {
        if (server.Get("", "configmaps", Namespace, map) is not { } found)
            return false;
        foreach (var (key, value) in found["data"] as JsonObject ?? [])
            Write(path, key, (string)value!);
        return true;
    }

    private static TimeSpan Life(int? seconds) => seconds is { } wanted ? TimeSpan.FromSeconds(wanted) : ShortestLife;

    /// <summary>Readable for whoever the container runs as.</summary>
    private static void Write(string path, string name, string text)
    {
        File.WriteAllText(Path.Combine(path, name), text);
        File.SetUnixFileMode(Path.Combine(path, name), (UnixFileMode)0x1A4);
    }
}
