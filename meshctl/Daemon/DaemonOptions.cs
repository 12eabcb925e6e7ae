using System.Globalization;

using CommandLine;

namespace Mesh.Meshctl.Daemon;

/// <summary>The process inside the namespaces; started by <c>meshctl up</c> only.</summary>
[Verb("daemon", Hidden = true)]
internal sealed class DaemonOptions
{
    [Option("name", Required = true)]
    public string Name { get; set; } = string.Empty;

    [Option("root", Required = true)]
    public string Root { get; set; } = string.Empty;

    [Option("nodes", Default = 2)]
    public int Nodes { get; set; }

    [Option("cert-ttl", Default = "24h")]
    public string CertificateTtl { get; set; } = "24h";

    [Option("bare")]
    public bool Bare { get; set; }

    public IEnumerable<string> ToArguments() =>
    [
        "daemon", "--name", Name, "--root", Root, "--nodes", Nodes.ToString(CultureInfo.InvariantCulture), "--cert-ttl", CertificateTtl, .. Bare ? (string[])["--bare"] : [],
    ];
}
