using System.Text.RegularExpressions;

namespace Mesh.Architecture.Tests;

/// <summary>Every path and type that README and docs mention in backticks exists: prose about code must not drift.</summary>
public sealed partial class DocumentTests
{
    public static TheoryData<string> Documents => [.. Repository.Files("*.md").Where(f => !f.StartsWith("tests/", StringComparison.Ordinal))];

    [Theory]
    [MemberData(nameof(Documents))]
    public void Paths_MentionedInADocument_Exist(string document)
    {
        foreach (var path in Mentions(document).Where(m => PathShape().IsMatch(m)))
            Assert.True(Repository.Exists(path.TrimEnd('/')), $"{document} mentions `{path}`, which does not exist");
    }

    [Theory]
    [MemberData(nameof(Documents))]
    public void Types_MentionedInADocument_Exist(string document)
    {
        foreach (var type in Mentions(document).Where(m => TypeShape().IsMatch(m)))
            Assert.True(DeclaredTypes.Contains(type) || ProjectNames.Contains(type) || IsPlatformOrWireName(type), $"{document} mentions the type `{type}`, which is declared nowhere");
    }

    [Theory]
    [MemberData(nameof(Documents))]
    public void Links_BetweenDocuments_Resolve(string document)
    {
        var folder = Path.GetDirectoryName(document) ?? string.Empty;
        foreach (Match link in Link().Matches(Repository.Read(document)))
        {
            var target = link.Groups[1].Value.Split('#')[0];
            if (target.Length > 0 && !target.Contains("://", StringComparison.Ordinal))
                Assert.True(Repository.Exists(Path.Combine(folder, target)), $"{document} links to {target}, which does not exist");
        }
    }

    [Fact]
    public void Readme_NamesTheTwoCommands()
    {
        var firstScreen = string.Join('\n', Repository.Read("README.md").Split('\n').Take(40));
        Assert.Contains("deploy/demo.sh", firstScreen, StringComparison.Ordinal);
        Assert.Contains("tests/run.sh", firstScreen, StringComparison.Ordinal);
    }

    private static readonly HashSet<string> DeclaredTypes =
        [.. Repository.SourceFiles.SelectMany(f => Declaration().Matches(Repository.Read(f)).Select(m => m.Groups[1].Value))];

    private static readonly HashSet<string> ProjectNames = [.. Repository.Projects.Select(p => Path.GetFileNameWithoutExtension(p))];

    private static IEnumerable<string> Mentions(string document) =>
        Code().Matches(FencedBlock().Replace(Repository.Read(document), string.Empty)).Select(m => m.Groups[1].Value).Distinct(StringComparer.Ordinal);

    /// <summary>Names that look like our types but belong to .NET, Kubernetes, Istio or the wire.</summary>
    private static bool IsPlatformOrWireName(string name) =>
        PlatformNames.Contains(name) || Repository.Files("*.proto").Exists(p => Regex.IsMatch(Repository.Read(p), $@"\b{Regex.Escape(name)}\b"));

    private static readonly HashSet<string> PlatformNames = new(StringComparer.Ordinal)
    {
        "SslStream", "SslClientAuthenticationOptions", "SslServerAuthenticationOptions", "HttpClient", "ConfigureAwait", "TimeProvider", "SynchronizationContext", "SocketsHttpHandler", "ConnectCallback", "ConnectionContext", "IConnectionListenerFactory", "LibraryImport",
        "AuthorizationPolicy", "PeerAuthentication", "RequestAuthentication", "VirtualService", "DestinationRule", "HTTPRoute", "GRPCRoute", "ServiceEntry", "WorkloadEntry",
        "WorkloadGroup", "Gateway", "GatewayClass", "Service", "Pod", "Node", "Namespace", "Deployment", "Telemetry", "ProxyConfig", "ServiceAccount", "ConfigMap", "EndpointSlice",
        "Authorization", "Kestrel", "BenchmarkDotNet", "CommandLineParser", "YamlDotNet", "DaemonSet", "Secret", "Address", "Workload", "AF_PACKET", "ReferenceGrant",
    };

    [GeneratedRegex(@"\b(?:class|struct|interface|enum|record)\s+([A-Z][A-Za-z0-9]+)")]
    private static partial Regex Declaration();

    [GeneratedRegex("`([^`\n]+)`")]
    private static partial Regex Code();

    [GeneratedRegex("```.*?```", RegexOptions.Singleline)]
    private static partial Regex FencedBlock();

    [GeneratedRegex(@"^(lib|ztunnel|waypoint|istiod-lite|meshctl|tests|bench|deploy|docs|\.ci)/[A-Za-z0-9_./-]*$")]
    private static partial Regex PathShape();

    [GeneratedRegex("^[A-Z][a-z0-9]+([A-Z][A-Za-z0-9]*)+$")]
    private static partial Regex TypeShape();

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Link();
}
