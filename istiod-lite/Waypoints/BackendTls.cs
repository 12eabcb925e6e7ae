using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Translation;
using Mesh.Waypoint.V1;

namespace Mesh.IstiodLite.Waypoints;

/// <summary>BackendTLSPolicies on clusters. What a DestinationRule says of TLS counts more.</summary>
internal static class BackendTls
{
    /// <summary>The policy for a port: one that names the port before one that does not, then the oldest.</summary>
    public static BackendTlsPolicy? For(ResourceSet resources, MeshService service, int port)
    {
        if (resources.BackendTlsPolicies.Count == 0)
            return null;
        var name = service.Ports.FirstOrDefault(p => p.Number == port)?.Name;
        var own = resources.BackendTlsPolicies.Where(p => p.Namespace == service.Namespace).ToList();
        bool Targets(BackendTlsPolicy policy, string? section) => policy.Targets.Any(t => t.Kind == service.Source.Kind && t.Name == service.Source.Name && t.SectionName == section);
        return own.Find(p => name is not null && Targets(p, name)) ?? own.Find(p => Targets(p, null));
    }

    /// <summary>Where an authority is missing nothing is sent: nobody could tell whether the backend is the right one.</summary>
    public static void Apply(Cluster cluster, BackendTlsPolicy policy, ResourceSet resources)
    {
        cluster.Tls = new ClientTls { Mode = ClientTls.Types.Mode.Simple, Sni = policy.Hostname, CaCertificatesPem = policy.AuthoritiesPem(resources) };
        cluster.Tls.SubjectAltNames.AddRange(policy.SubjectAltNames.Count > 0 ? policy.SubjectAltNames : [policy.Hostname]);
        if (policy.MissingAuthority(resources) is not null)
            cluster.Endpoints.Clear();
    }
}
