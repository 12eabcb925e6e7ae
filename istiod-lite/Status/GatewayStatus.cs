using System.Text.Json.Nodes;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Translation;
using Gateway = Mesh.IstiodLite.Resources.Gateway;

namespace Mesh.IstiodLite.Status;

/// <summary>Status of GatewayClasses and Gateways whose controller is Istio's.</summary>
internal static class GatewayStatus
{
    private const string Expected = "Expected a single listener on port 15008 with protocol \"HBONE\"";

    public static void Add(List<StatusEntry> statuses, ResourceSet resources, ServiceCatalog services, MeshSettings settings)
    {
        var controllers = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var gatewayClass in resources.GatewayClasses.Where(c => IsOurs(c.ControllerName)))
        {
            controllers[gatewayClass.Name] = gatewayClass.ControllerName;
            statuses.Add(StatusEntry.Conditions(gatewayClass, StatusEntry.GatewayWriter,
                StatusEntry.Condition("Accepted", status: true, "Accepted", "Handled by Istio controller", StatusEntry.GatewayGeneration(gatewayClass))));
        }
        foreach (var gateway in resources.Gateways)
        {
            var controller = controllers.GetValueOrDefault(gateway.ClassName) ?? (settings.Standalone && gateway.ClassName is "istio-waypoint" ? WellKnown.MeshController : null);
            if (controller is WellKnown.UnmanagedController)
                statuses.Add(Entry(gateway, Remote(gateway)));
            else if (controller is not null)
                statuses.Add(Entry(gateway, Managed(gateway, controller, resources, services, settings)));
        }
    }

    private static bool IsOurs(string controller) =>
        controller is WellKnown.MeshController or WellKnown.GatewayController or WellKnown.EastWestController or WellKnown.UnmanagedController;

    private static StatusEntry Entry(Gateway gateway, JsonObject status) => new(gateway.Kind, gateway.Namespace, gateway.Name, StatusEntry.GatewayWriter, status);

    private static JsonObject Remote(Gateway gateway)
    {
        var status = new JsonObject();
        if (gateway.SpecAddresses.Count > 0)
            status["addresses"] = Addresses(gateway.SpecAddresses);
        status["conditions"] = new JsonArray(
            Condition(gateway, "Accepted", true, "Accepted", "Resource accepted"),
            Condition(gateway, "Programmed", true, "Programmed", "This Gateway is remote; Istio will not program it"));
        return status;
    }

    private static JsonObject Managed(Gateway gateway, string controller, ResourceSet resources, ServiceCatalog services, MeshSettings settings)
    {
        var name = controller is WellKnown.GatewayController ? $"{gateway.Name}-{gateway.ClassName}" : gateway.Name;
        var hostname = $"{name}.{gateway.Namespace}.svc.{settings.ClusterDomain}";
        var service = services.Find(gateway.Namespace, hostname);
        IReadOnlyList<GatewayStatusAddress> addresses = gateway.StatusAddresses;
        JsonObject programmed;
        if (service is not null)
        {
            addresses = [.. service.Wds.Addresses.Select(a => new GatewayStatusAddress("IPAddress", IpBytes.Text(a.Address))), new GatewayStatusAddress("Hostname", hostname)];
            var ports = string.Join(", ", gateway.Listeners.Select(l => $"{hostname}:{l.Port}").Distinct(StringComparer.Ordinal));
            // Locally a waypoint is a process and not a pod; its state is shown beside.
            programmed = settings.Standalone || controller is not WellKnown.MeshController || HasInstance(gateway, resources)
                ? Condition(gateway, "Programmed", true, "Programmed", $"Resource programmed, assigned to service(s) {ports}")
                : Condition(gateway, "Programmed", false, "AddressNotUsable", $"Failed to assign to any requested addresses: no instances found for hostname \"{hostname}\"");
        }
        else
        {
            programmed = Condition(gateway, "Programmed", false, "AddressNotUsable", $"Failed to assign to any requested addresses: hostname \"{hostname}\" not found");
        }

        var status = new JsonObject();
        if (addresses.Count > 0)
            status["addresses"] = Addresses(addresses);
        var unexpected = controller is WellKnown.MeshController ? gateway.Listeners.Where((l, i) => i > 0 || l is not { Port: (int)WellKnown.HbonePort, Protocol: "HBONE" }).ToList() : [];
        status["conditions"] = new JsonArray(
            unexpected.Count == 0
                ? Condition(gateway, "Accepted", true, "Accepted", "Resource accepted")
                // Gateway API: true as long as one listener is good.
                : Condition(gateway, "Accepted", unexpected.Count < gateway.Listeners.Count, "ListenersNotValid", $"Invalid listeners: {string.Join(", ", unexpected.Select(l => l.Name))}"),
            programmed,
            Condition(gateway, "ResolvedRefs", true, "ResolvedRefs", "All references resolved"));
        status["listeners"] = new JsonArray([.. gateway.Listeners.Select(l => Listener(gateway, l, unexpected.Contains(l), AttachedRoutes.Count(gateway, l, resources)))]);
        return status;
    }

    /// <summary>What the Service of a waypoint selects, and may be sent traffic.</summary>
    private static bool HasInstance(Gateway gateway, ResourceSet resources) =>
        resources.Pods.Any(p => p.Namespace == gateway.Namespace && p.Meta.Label(WellKnown.GatewayName) == gateway.Name && p.Ready && !p.IsTerminal);

    private static JsonObject Listener(Gateway gateway, GatewayListener listener, bool isUnexpected, int attached)
    {
        const string fine = "No errors found";
        var kinds = new JsonArray();
        if (listener.Protocol is "HTTP" or "HTTPS")
        {
            kinds.Add(new JsonObject { ["group"] = "gateway.networking.k8s.io", ["kind"] = "HTTPRoute" });
            kinds.Add(new JsonObject { ["group"] = "gateway.networking.k8s.io", ["kind"] = "GRPCRoute" });
        }
        return new JsonObject
        {
            ["attachedRoutes"] = attached,
            ["conditions"] = new JsonArray(
                isUnexpected ? Condition(gateway, "Accepted", false, "UnsupportedProtocol", Expected) : Condition(gateway, "Accepted", true, "Accepted", fine),
                Condition(gateway, "Conflicted", false, "NoConflicts", fine),
                isUnexpected ? Condition(gateway, "Programmed", false, "Invalid", Expected) : Condition(gateway, "Programmed", true, "Programmed", fine),
                Condition(gateway, "ResolvedRefs", true, "ResolvedRefs", fine)),
            ["name"] = listener.Name,
            ["supportedKinds"] = kinds,
        };
    }

    private static JsonObject Condition(Gateway gateway, string type, bool status, string reason, string message) =>
        StatusEntry.Condition(type, status, reason, message, StatusEntry.GatewayGeneration(gateway));

    private static JsonArray Addresses(IEnumerable<GatewayStatusAddress> addresses) =>
        new([.. addresses.Select(a => new JsonObject { ["type"] = a.Type, ["value"] = a.Value })]);
}
