using System.Text.Json.Nodes;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Translation;
using Mesh.Kubernetes;

namespace Mesh.IstiodLite.Leadership;

/// <summary>What waypoints are made of.</summary>
internal sealed record WaypointSettings
{
    /// <summary>Image of the waypoint's container.</summary>
    public string Image { get; init; } = "mesh/waypoint:latest";

    /// <summary>Host and port of discovery, as pods reach it.</summary>
    public required string DiscoveryAddress { get; init; }
}

/// <summary>One object of a waypoint, as it is applied.</summary>
internal sealed record WaypointObject(ResourceType Type, string Namespace, string Name, JsonObject Body);

/// <summary>The objects of one waypoint Gateway (reference: istiod 5.4, 5.5). Pure.</summary>
internal static class WaypointTemplate
{
    /// <summary>Of this program; a Gateway that a newer controller has taken over is left to it.</summary>
    public const int ControllerVersion = 5;

    /// <param name="gateway">Of class istio-waypoint.</param>
    /// <param name="mesh">Of everything.</param>
    /// <param name="settings">Of all waypoints.</param>
    /// <param name="network">Of the system namespace; empty: none.</param>
    /// <param name="run">What ProxyConfigs say.</param>
    /// <param name="overlays">Of the Gateway's own parameters and of its class; the later counts more.</param>
    public static IEnumerable<WaypointObject> Of(Gateway gateway, MeshSettings mesh, WaypointSettings settings, string network, ProxyRun run, IReadOnlyList<WaypointOverlay> overlays)
    {
        var labels = WaypointMetadata.Labels(gateway, network);
        var annotations = WaypointMetadata.Annotations(gateway);
        var name = WaypointMetadata.NameOf(gateway);
        WaypointObject Made(ResourceType type, string objectName, string overlay, JsonObject body, bool onlyWhereAsked = false)
        {
            var patches = overlays.Select(o => o.For(overlay)).OfType<JsonObject>().ToList();
            var result = patches.Aggregate(body, WaypointOverlay.Merge);
            // Whatever a patch says: the object is this one, and ours.
            result["apiVersion"] = type.ApiVersion;
            result["kind"] = type.Kind;
            var metadata = (JsonObject)result["metadata"]!;
            metadata["name"] = objectName;
            metadata["namespace"] = gateway.Namespace;
            (metadata["labels"] as JsonObject)![WellKnown.GatewayManaged] = WaypointMetadata.ManagedValue;
            return new WaypointObject(type, gateway.Namespace, objectName, onlyWhereAsked && patches.Count == 0 ? [] : result);
        }

        JsonObject Metadata() => new()
        {
            ["labels"] = Json(labels),
            ["annotations"] = Json(annotations),
            ["ownerReferences"] = new JsonArray(new JsonObject
            {
                ["apiVersion"] = "gateway.networking.k8s.io/v1",
                ["kind"] = "Gateway",
                ["name"] = gateway.Name,
                ["uid"] = gateway.Meta.Uid,
            }),
        };

        yield return Made(ResourceTypes.ServiceAccounts, WaypointMetadata.AccountOf(gateway), "serviceAccount", new JsonObject { ["metadata"] = Metadata() });
        yield return Made(ResourceTypes.Deployments, name, "deployment", new JsonObject
        {
            ["metadata"] = Metadata(),
            ["spec"] = new JsonObject
            {
                ["selector"] = new JsonObject { ["matchLabels"] = new JsonObject { [WellKnown.GatewayName] = gateway.Name } },
                ["template"] = PodTemplate(gateway, annotations, mesh, settings, network, run),
            },
        });
        yield return Made(ResourceTypes.Services, name, "service", new JsonObject { ["metadata"] = ServiceMetadata(Metadata()), ["spec"] = ServiceSpec(gateway) });
        var target = new JsonObject { ["apiVersion"] = "apps/v1", ["kind"] = "Deployment", ["name"] = name };
        var autoscaler = Made(ResourceTypes.HorizontalPodAutoscalers, name, "horizontalPodAutoscaler",
            new JsonObject { ["metadata"] = Metadata(), ["spec"] = new JsonObject { ["scaleTargetRef"] = target, ["maxReplicas"] = 1 } }, onlyWhereAsked: true);
        if (autoscaler.Body.Count > 0)
            yield return autoscaler;
        var budget = Made(ResourceTypes.PodDisruptionBudgets, name, "podDisruptionBudget",
            new JsonObject { ["metadata"] = Metadata(), ["spec"] = new JsonObject { ["selector"] = new JsonObject { ["matchLabels"] = new JsonObject { [WellKnown.GatewayName] = gateway.Name } } } }, onlyWhereAsked: true);
        if (budget.Body.Count > 0)
            yield return budget;
    }

    private static JsonObject ServiceMetadata(JsonObject metadata)
    {
        ((JsonObject)metadata["annotations"]!)[WellKnown.TrafficDistribution] = "PreferClose";
        return metadata;
    }

    private static JsonObject ServiceSpec(Gateway gateway)
    {
        var ports = new JsonArray(new JsonObject { ["name"] = "status-port", ["port"] = 15021, ["protocol"] = "TCP", ["appProtocol"] = "tcp" });
        foreach (var listener in gateway.Listeners.Where(l => l.Port != 15021).DistinctBy(l => l.Port))
            ports.Add(new JsonObject { ["name"] = listener.Name, ["port"] = listener.Port, ["protocol"] = "TCP", ["appProtocol"] = listener.Protocol.ToLowerInvariant() });
        return new JsonObject
        {
            ["type"] = gateway.Meta.Annotation(WaypointMetadata.ServiceType) is { Length: > 0 } type ? type : "ClusterIP",
            ["ipFamilyPolicy"] = "PreferDualStack",
            ["selector"] = new JsonObject { [WellKnown.GatewayName] = gateway.Name },
            ["ports"] = ports,
        };
    }

    private static JsonObject PodTemplate(Gateway gateway, SortedDictionary<string, string> annotations, MeshSettings mesh, WaypointSettings settings, string network, ProxyRun run)
    {
        var podAnnotations = new SortedDictionary<string, string>(annotations, StringComparer.Ordinal)
        {
            [WellKnown.Revision] = mesh.Revision.Length > 0 ? mesh.Revision : "default",
            ["prometheus.io/path"] = "/stats/prometheus",
            ["prometheus.io/port"] = "15020",
            ["prometheus.io/scrape"] = "true",
        };
        return new JsonObject
        {
            ["metadata"] = new JsonObject { ["labels"] = Json(WaypointMetadata.PodLabels(gateway, network)), ["annotations"] = Json(podAnnotations) },
            ["spec"] = new JsonObject
            {
                ["serviceAccountName"] = WaypointMetadata.AccountOf(gateway),
                // A waypoint asks the API server nothing: it has no credentials for it, only a token that the control plane alone accepts.
                ["automountServiceAccountToken"] = false,
                ["terminationGracePeriodSeconds"] = 30,
                ["containers"] = new JsonArray(WaypointContainer.Of(gateway, WaypointMetadata.AccountOf(gateway), mesh, settings, network, run)),
                ["volumes"] = WaypointContainer.Volumes(),
            },
        };
    }

    private static JsonObject Json(IEnumerable<KeyValuePair<string, string>> pairs) => new(pairs.Select(p => new KeyValuePair<string, JsonNode?>(p.Key, p.Value)));
}
