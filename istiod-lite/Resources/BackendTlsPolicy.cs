namespace Mesh.IstiodLite.Resources;

/// <param name="Kind">Service, or ServiceEntry.</param>
/// <param name="SectionName">The name of a port; null: all of them.</param>
internal sealed record BackendTlsTarget(string Kind, string Name, string? SectionName);

/// <summary>gateway.networking.k8s.io BackendTLSPolicy: whoever sends to the targets speaks TLS with them.</summary>
internal sealed class BackendTlsPolicy : Resource
{
    public const string AuthorityKey = "ca.crt";

    public override string Kind => "BackendTLSPolicy";
    public IReadOnlyList<BackendTlsTarget> Targets { get; init; } = [];
    /// <summary>What is asked for (SNI), and what the certificate must be for unless <see cref="SubjectAltNames"/> says otherwise.</summary>
    public string Hostname { get; init; } = string.Empty;
    /// <summary>ConfigMaps of the policy's namespace that hold authorities under <see cref="AuthorityKey"/>; none: the system's authorities.</summary>
    public IReadOnlyList<string> Authorities { get; init; } = [];
    public IReadOnlyList<string> SubjectAltNames { get; init; } = [];

    /// <summary>The first ConfigMap that is not there or holds no authority; null: all are there.</summary>
    public string? MissingAuthority(ResourceSet resources) => Authorities.FirstOrDefault(a => AuthorityOf(resources, a) is null);

    public string AuthoritiesPem(ResourceSet resources) => string.Join('\n', Authorities.Select(a => AuthorityOf(resources, a)).OfType<string>());

    private string? AuthorityOf(ResourceSet resources, string name) => resources.Find<ConfigMap>("ConfigMap", Namespace, name)?.Data.GetValueOrDefault(AuthorityKey) is { Length: > 0 } pem ? pem : null;
}
