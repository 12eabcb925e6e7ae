using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Documents;
using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Translation;

/// <summary>
/// MeshConfig: the key "mesh" of the ConfigMap "istio" in the system namespace, or a file. Only what the translation uses is read; other fields
/// are Istio's and are passed over.
/// </summary>
internal static class MeshConfigReader
{
    public static MeshSettings Apply(MeshSettings settings, ResourceSet resources, List<Problem> problems)
    {
        var name = settings.Revision.Length is 0 ? "istio" : $"istio-{settings.Revision}";
        var map = resources.Find<ConfigMap>("ConfigMap", settings.SystemNamespace, name) ?? resources.Find<ConfigMap>("ConfigMap", settings.SystemNamespace, "istio");
        if (map is null || !map.Data.TryGetValue("mesh", out var text))
            return settings;
        return Apply(settings, text, (line, reason, fix) => problems.Add(Problem.Error(map, $"mesh, line {line}: {reason}", fix)));
    }

    public static MeshSettings Apply(MeshSettings settings, string yaml, Action<int, string, string> report)
    {
        YamlNode? root;
        try
        {
            root = YamlDocumentReader.Read(yaml, 1);
        }
        catch (YamlSyntaxException e)
        {
            report(e.Line, e.Message, "correct the MeshConfig; until then the defaults are in force");
            return settings;
        }
        if (root is not YamlMapping mapping)
            return settings;
        var faults = new DocumentFaults();
        var reader = new FieldReader(mapping, "mesh", faults);
        var result = settings with
        {
            TrustDomain = reader.String("trustDomain") ?? settings.TrustDomain,
            RootNamespace = reader.String("rootNamespace") is { Length: > 0 } root2 ? root2 : settings.RootNamespace,
            ConnectTimeout = reader.Duration("connectTimeout") ?? settings.ConnectTimeout,
            ExtensionProviders = reader.Objects("extensionProviders", ExtensionProviderReader.Read),
            AccessLog = new AccessLogSettings(
                reader.String("accessLogFile") ?? settings.AccessLog.File,
                reader.String("accessLogFormat") ?? settings.AccessLog.Format,
                reader.Choice("accessLogEncoding", settings.AccessLog.IsJson, ("TEXT", false), ("JSON", true))),
            DefaultRetry = reader.Object("defaultHttpRetryPolicy", HttpPartsDecoder.Retry) ?? settings.DefaultRetry,
        };
        Tracing(mapping, faults, ref result);
        reader.Object("serviceEntryVisibility", v => result = result with
        {
            DefaultVisibility = Visibility(v, "defaultVisibility"),
            VisibilityPolicies = v.Objects("policies", Policy),
        });
        foreach (var fault in faults.Items)
            report(fault.Line, fault.Reason, fault.Fix);
        return faults.Items.Count == 0 ? result : settings;
    }

    // Both objects have many fields that mean nothing here: they are read without asking for completeness.
    private static void Tracing(YamlMapping mesh, DocumentFaults faults, ref MeshSettings settings)
    {
        if (mesh.Find("defaultProviders") is YamlMapping providers && new FieldReader(providers, "mesh.defaultProviders", faults).Strings("tracing") is { Count: > 0 } names)
            settings = settings with { DefaultTracingProviders = names };
        if (mesh.Find("defaultProviders") is YamlMapping defaults && new FieldReader(defaults, "mesh.defaultProviders", faults).Strings("accessLogging") is { Count: > 0 } logs)
            settings = settings with { DefaultAccessLogProviders = logs };
        if (mesh.Find("defaultConfig") is YamlMapping config && config.Find("tracing") is YamlMapping tracing
            && new FieldReader(tracing, "mesh.defaultConfig.tracing", faults).Double("sampling", 0, 100) is { } sampling)
            settings = settings with { TraceSampling = sampling };
        if (mesh.Find("defaultConfig") is YamlMapping proxies && new FieldReader(proxies, "mesh.defaultConfig", faults) is var reader)
            settings = settings with { ProxyDefaults = new ProxyRun(reader.Int("concurrency", minimum: 0), reader.StringMap("proxyMetadata") ?? settings.ProxyDefaults.Environment) };
    }

    private static EntryVisibility Visibility(FieldReader reader, string name) =>
        reader.Choice(name, EntryVisibility.Public, ("PUBLIC", EntryVisibility.Public), ("NAMESPACE", EntryVisibility.Namespace), ("NONE", EntryVisibility.None));

    private static VisibilityPolicy Policy(FieldReader p) => new(
        [.. p.Objects("matchingRules", r => r.Object("namespaceSelector", GatewayDecoder.Selector) ?? new LabelSelector(new Dictionary<string, string>(StringComparer.Ordinal), []))],
        Visibility(p, "visibility"));
}
