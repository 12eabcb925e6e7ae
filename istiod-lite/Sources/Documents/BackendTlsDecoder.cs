using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Sources.Documents;

internal static class BackendTlsDecoder
{
    private sealed record Name(string Value);

    public static Resource Decode(ObjectMeta meta, DocumentPosition position, FieldReader root)
    {
        root.Ignore("status");
        IReadOnlyList<BackendTlsTarget> targets = [];
        IReadOnlyList<string> authorities = [], names = [];
        var hostname = string.Empty;
        root.Object("spec", spec =>
        {
            spec.Ignore("options");
            targets = spec.Objects("targetRefs", t =>
            {
                t.Ignore("group");
                return new BackendTlsTarget(t.Required("kind"), t.Required("name"), t.String("sectionName"));
            });
            spec.Object("validation", v =>
            {
                hostname = v.Required("hostname");
                v.Choice("wellKnownCACertificates", true, ("System", true));
                authorities = [.. v.Objects("caCertificateRefs", Authority).Select(n => n.Value)];
                names = [.. v.Objects("subjectAltNames", n =>
                {
                    n.Ignore("type");
                    return new Name(n.String("hostname") ?? n.String("uri") ?? string.Empty);
                }).Select(n => n.Value)];
            });
        });
        return new BackendTlsPolicy { Meta = meta, Position = position, Targets = targets, Hostname = hostname, Authorities = authorities, SubjectAltNames = names };
    }

    private static Name Authority(FieldReader a)
    {
        a.Ignore("group");
        if (a.String("kind") is not (null or "ConfigMap"))
            a.Faults.Add(a.Line, $"{a.Path}.kind must be ConfigMap", $"put the authority into a ConfigMap, under {BackendTlsPolicy.AuthorityKey}");
        return new Name(a.Required("name"));
    }
}
