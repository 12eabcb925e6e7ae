using System.Net;
using CommandLine;
using Mesh.IstiodLite.Certificates;
using Mesh.Runtime;

namespace Mesh.IstiodLite;

[Verb("run", isDefault: true, HelpText = "Serves a cluster, or a folder of YAML documents: configuration and certificates for ztunnels and waypoints.")]
internal sealed class RunOptions
{
    [Option("in-cluster", HelpText = "Serves the cluster that this pod runs in.")]
    public bool InCluster { get; set; }

    [Option("kubeconfig", HelpText = "Serves the cluster that this kubeconfig names.")]
    public string? KubeConfig { get; set; }

    [Option("context", HelpText = "With --kubeconfig: another context than the current one.")]
    public string? Context { get; set; }

    [Option("webhook", HelpText = "Address and port of the validating webhook (HTTPS), such as 0.0.0.0:15017; without it there is none.")]
    public string? Webhook { get; set; }

    [Option("waypoint-image", HelpText = "In a cluster: the image of the waypoints that are deployed for Gateways.")]
    public string? WaypointImage { get; set; }

    [Option("config-dir", HelpText = "Serves a folder of YAML documents, watched; subfolders included.")]
    public string ConfigDir { get; set; } = string.Empty;

    [Option("state-dir", HelpText = "With --config-dir: folder for the root certificate, its key (mode 0600) and what must survive a restart.")]
    public string StateDir { get; set; } = string.Empty;

    [Option("listen", Default = "127.0.0.1:15012", HelpText = "Address and port of discovery and certificates (gRPC over TLS).")]
    public string Listen { get; set; } = string.Empty;

    [Option("admin", Default = "127.0.0.1:15014", HelpText = "Address and port of /ready, /metrics and /debug.")]
    public string Admin { get; set; } = string.Empty;

    [Option("mesh-config", HelpText = "File with a MeshConfig; without it the ConfigMap istio-system/istio among the documents counts.")]
    public string? MeshConfig { get; set; }

    [Option("default-cert-ttl", Default = "24h", HelpText = "Life of certificates whose request names none.")]
    public string DefaultCertTtl { get; set; } = string.Empty;

    [Option("max-cert-ttl", Default = "2160h", HelpText = "Requests for a longer life are refused.")]
    public string MaxCertTtl { get; set; } = string.Empty;

    [Option("root-overlap", Default = "24h", HelpText = "How long each step of the root's replacement waits; at least the longest life that workloads ask for.")]
    public string RootOverlap { get; set; } = string.Empty;

    [Option("ca-dir", HelpText = "Folder with an intermediate authority (ca-cert.pem, ca-key.pem, root-cert.pem, cert-chain.pem, optional ca-crl.pem), watched; default: a root of our own.")]
    public string? CaDir { get; set; }

    [Option("scope", Default = "mesh", HelpText = "What node agents are sent: mesh (everything), or node (policies and namespace-private services only of namespaces with a workload there).")]
    public string Scope { get; set; } = string.Empty;

    [Option("service-cidr", Default = "240.241.0.0/16", HelpText = "Where Services without clusterIP get their address from.")]
    public string ServiceCidr { get; set; } = string.Empty;

    [Option("log", HelpText = "Log filter such as info or debug; default: RUST_LOG, or info.")]
    public string? Log { get; set; }
}

[Verb("token", HelpText = "Prints a token that says who its holder is.")]
internal sealed class TokenOptions
{
    [Option("state-dir", Required = true, HelpText = "The state folder of the control plane that shall accept the token.")]
    public string StateDir { get; set; } = string.Empty;

    [Option("node", HelpText = "For a node agent: may have the identities of the pods scheduled on this node.")]
    public string? Node { get; set; }

    [Option("workload", HelpText = "For one workload, as namespace/serviceaccount[/pod]: may have its own identity.")]
    public string? Workload { get; set; }

    [Option("ttl", Default = "8760h", HelpText = "How long the token is accepted.")]
    public string Ttl { get; set; } = string.Empty;
}

[Verb("rotate-root", HelpText = "Asks the running control plane to replace its root; nothing is refused meanwhile.")]
internal sealed class RotateRootOptions
{
    [Option("state-dir", Required = true, HelpText = "The state folder of the control plane.")]
    public string StateDir { get; set; } = string.Empty;
}

[Verb("revoke", HelpText = "Takes a certificate back that the control plane's own root has signed: puts it on the list ca-crl.pem of the state folder.")]
internal sealed class RevokeOptions
{
    [Option("state-dir", Required = true, HelpText = "The state folder of the control plane.")]
    public string StateDir { get; set; } = string.Empty;

    [Value(0, MetaName = "CERTIFICATE", Required = true, HelpText = "File with the certificate, PEM.")]
    public string Certificate { get; set; } = string.Empty;
}

internal abstract class DocumentOptions
{
    [Value(0, MetaName = "PATH", Required = true, HelpText = "Files or folders of YAML documents, or - for standard input.")]
    public IEnumerable<string> Paths { get; set; } = [];
}

[Verb("validate", HelpText = "Says of each document whether a mesh accepts it (exit code 65: one is refused).")]
internal sealed class ValidateOptions : DocumentOptions
{
    [Option("output", Default = "text", HelpText = "text or json.")]
    public string Output { get; set; } = string.Empty;
}

[Verb("translate", HelpText = "Prints what documents would make ztunnels and waypoints be sent; changes nothing. Settings are environment variables, as istiod's.")]
internal sealed class TranslateOptions : DocumentOptions
{
    [Option("output", Default = "json", HelpText = "json or text.")]
    public string Output { get; set; } = string.Empty;

    [Option("diff", Default = false, HelpText = "Of two paths, OLD and NEW: what changes for whom.")]
    public bool Diff { get; set; }

    [Option("standalone", Default = false, HelpText = "As a folder that istiod-lite serves without Kubernetes: Services and waypoint Gateways are given their addresses.")]
    public bool Standalone { get; set; }
}

[Verb("analyze", HelpText = "Looks for what is valid in documents but probably not meant, and says how to mend it.")]
internal sealed class AnalyzeOptions : DocumentOptions
{
    [Option("output", Default = "text", HelpText = "text or json.")]
    public string Output { get; set; } = string.Empty;
}

/// <summary>The settings of a run after validation.</summary>
internal sealed record ControlPlaneOptions
{
    public required string ConfigFolder { get; init; }
    public required string StateFolder { get; init; }
    public required IPEndPoint Listen { get; init; }
    public required IPEndPoint Admin { get; init; }
    /// <summary>Null: no webhook.</summary>
    public IPEndPoint? Webhook { get; init; }
    public required string? MeshConfigFile { get; init; }
    public required CertificateLifetimes Lifetimes { get; init; }
    /// <summary>Null: the root is made here.</summary>
    public required string? AuthorityFolder { get; init; }
    public required IPNetwork ServicePool { get; init; }
    public bool ScopeByNode { get; init; }

    /// <summary>Null: a folder is served.</summary>
    public ClusterOptions? Cluster { get; init; }

    /// <summary>Collects every mistake instead of stopping at the first.</summary>
    public static ControlPlaneOptions From(RunOptions options, List<string> errors)
    {
        TimeSpan Duration(string name, string text)
        {
            if (DurationText.TryParse(text, out var value) && value > TimeSpan.Zero)
                return value;
            errors.Add($"--{name} is \"{text}\"; write a duration such as 24h or 90s");
            return TimeSpan.FromHours(24);
        }

        IPEndPoint EndPoint(string name, string text)
        {
            if (IPEndPoint.TryParse(text, out var value) && text.Contains(':', StringComparison.Ordinal) && !IPAddress.TryParse(text, out _))
                return value;
            errors.Add($"--{name} is \"{text}\"; write an address and a port such as 127.0.0.1:15012");
            return new IPEndPoint(IPAddress.Loopback, 0);
        }

        if (!IPNetwork.TryParse(options.ServiceCidr, out var pool))
            errors.Add($"--service-cidr is \"{options.ServiceCidr}\"; write a network such as 240.241.0.0/16");
        var wanted = new[] { options.ConfigDir.Length > 0, options.InCluster, options.KubeConfig is not null }.Count(w => w);
        if (wanted != 1)
            errors.Add("say what to serve: one of --in-cluster, --kubeconfig FILE and --config-dir FOLDER");
        else if (options.ConfigDir.Length > 0 && options.StateDir.Length == 0)
            errors.Add("--config-dir needs --state-dir, where the root certificate is kept");
        if (options.ConfigDir.Length > 0 && !Directory.Exists(options.ConfigDir))
            errors.Add($"the configuration folder {options.ConfigDir} does not exist; create it or name another with --config-dir");
        if (options.Scope is not ("mesh" or "node"))
            errors.Add($"--scope is \"{options.Scope}\"; write mesh or node");
        if (options.MeshConfig is { } file && !File.Exists(file))
            errors.Add($"the MeshConfig file {file} does not exist");
        var lifetimes = new CertificateLifetimes { Default = Duration("default-cert-ttl", options.DefaultCertTtl), Maximum = Duration("max-cert-ttl", options.MaxCertTtl), RootOverlap = Duration("root-overlap", options.RootOverlap) };
        if (lifetimes.Default > lifetimes.Maximum)
            errors.Add($"--default-cert-ttl {options.DefaultCertTtl} is longer than --max-cert-ttl {options.MaxCertTtl}");
        return new ControlPlaneOptions
        {
            ConfigFolder = options.ConfigDir.Length > 0 ? Path.GetFullPath(options.ConfigDir) : string.Empty,
            StateFolder = options.StateDir.Length > 0 ? Path.GetFullPath(options.StateDir) : string.Empty,
            Cluster = options.InCluster || options.KubeConfig is not null ? ClusterOptions.From(options) : null,
            Listen = EndPoint("listen", options.Listen),
            Admin = EndPoint("admin", options.Admin),
            Webhook = options.Webhook is { } webhook ? EndPoint("webhook", webhook) : null,
            MeshConfigFile = options.MeshConfig,
            Lifetimes = lifetimes,
            AuthorityFolder = options.CaDir is { } ca ? Path.GetFullPath(ca) : null,
            ServicePool = pool,
            ScopeByNode = options.Scope is "node",
        };
    }
}
