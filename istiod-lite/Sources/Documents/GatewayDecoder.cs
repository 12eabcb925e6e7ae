using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Sources.Documents;

internal static class GatewayDecoder
{
    public static Resource GatewayClass(ObjectMeta meta, DocumentPosition position, FieldReader root)
    {
        root.Ignore("status");
        var controller = "";
        root.Object("spec", spec =>
        {
            spec.Ignore("description", "parametersRef");
            controller = spec.String("controllerName") ?? "";
        });
        return new GatewayClass { Meta = meta, Position = position, ControllerName = controller };
    }

    public static Resource Gateway(ObjectMeta meta, DocumentPosition position, FieldReader root)
    {
        IReadOnlyList<GatewayStatusAddress> addresses = [];
        root.Object("status", status =>
        {
            status.Ignore("conditions", "listeners", "attachedListenerSets");
            addresses = status.Objects("addresses", Address);
        });
        return root.Object("spec", spec =>
        {
            spec.Ignore("allowedListeners", "backendTLS", "tls", "defaultScope");
            IReadOnlyDictionary<string, string>? labels = null, annotations = null;
            string? parameters = null;
            spec.Object("infrastructure", i =>
            {
                labels = i.StringMap("labels");
                annotations = i.StringMap("annotations");
                i.Object("parametersRef", r =>
                {
                    r.Ignore("group");
                    var name = r.String("name");
                    parameters = r.String("kind") is "ConfigMap" ? name : null;
                });
            });
            return new Gateway
            {
                Meta = meta,
                Position = position,
                ClassName = spec.Required("gatewayClassName"),
                SpecAddresses = spec.Objects("addresses", Address),
                StatusAddresses = addresses,
                Listeners = spec.Objects("listeners", Listener),
                InfrastructureLabels = labels ?? new Dictionary<string, string>(StringComparer.Ordinal),
                InfrastructureAnnotations = annotations ?? new Dictionary<string, string>(StringComparer.Ordinal),
                ParametersName = parameters,
            };
        }) ?? new Gateway { Meta = meta, Position = position, StatusAddresses = addresses };
    }

    public static LabelSelector Selector(FieldReader s) => new(
        s.StringMap("matchLabels") ?? new Dictionary<string, string>(StringComparer.Ordinal),
        s.Objects("matchExpressions", e => new SelectorRequirement(
            e.Required("key"),
            e.Choice("operator", SelectorOperator.In, ("In", SelectorOperator.In), ("NotIn", SelectorOperator.NotIn), ("Exists", SelectorOperator.Exists), ("DoesNotExist", SelectorOperator.DoesNotExist)),
            e.Strings("values"))));

    private static GatewayStatusAddress Address(FieldReader a) => new(a.String("type") ?? "IPAddress", a.String("value") ?? "");

    private static GatewayListener Listener(FieldReader l)
    {
        l.Ignore("hostname", "tls");
        var from = "Same";
        LabelSelector? namespaces = null;
        l.Object("allowedRoutes", a =>
        {
            a.Ignore("kinds");
            a.Object("namespaces", n =>
            {
                from = n.Choice("from", "Same", ("All", "All"), ("Same", "Same"), ("Selector", "Selector"), ("None", "None"));
                namespaces = n.Object("selector", Selector);
            });
        });
        return new GatewayListener(l.String("name") ?? "", l.Port("port") ?? 0, l.String("protocol") ?? "", from, namespaces);
    }
}
