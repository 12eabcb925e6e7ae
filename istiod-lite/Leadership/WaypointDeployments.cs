using System.Globalization;
using System.Text.Json.Nodes;
using Mesh.IstiodLite.Push;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Telemetry;
using Mesh.IstiodLite.Translation;
using Mesh.Kubernetes;
using Mesh.Kubernetes.Informers;
using Mesh.Kubernetes.Objects;
using Mesh.Kubernetes.Requests;
using Mesh.Runtime.Logging;

namespace Mesh.IstiodLite.Leadership;

/// <summary>
/// Gateways of class istio-waypoint become ServiceAccount, Deployment and Service, by server-side apply; what somebody changes by hand is put right, and
/// everything goes with its Gateway, which owns it (reference: istiod 5.4). Makes the GatewayClass where it is missing.
/// </summary>
internal sealed class WaypointDeployments : LeaderTask, IAsyncDisposable
{
    public const string Manager = "istio.io/gateway-controller";
    public const string ClassName = "istio-waypoint";
    private static readonly ResourceType[] _kinds = [ResourceTypes.ServiceAccounts, ResourceTypes.Deployments, ResourceTypes.Services];

    private readonly KubeClient _client;
    private readonly Reconciler _mesh;
    private readonly WaypointSettings _settings;
    private readonly Action<Resource, string, string> _tell;
    private readonly Dictionary<ResourceType, OwnedObjects> _owned;
    // What was applied last: the text, and the mark of the object afterwards.
    private readonly Dictionary<(ResourceType, string, string), (string Wanted, string Mark)> _applied = [];

    /// <param name="tell">Says on an object what is the matter with it: reason and text.</param>
    public WaypointDeployments(KubeClient client, Reconciler mesh, WaypointSettings settings, InformerOptions options, Action<Resource, string, string> tell, Health health, Log? log)
        : base("waypoints", health, client.Time, log)
    {
        _client = client;
        _mesh = mesh;
        _settings = settings;
        _tell = tell;
        _owned = _kinds.ToDictionary(k => k, k => new OwnedObjects(client, k, $"{WellKnown.GatewayManaged}=istio.io-mesh-controller", options, Signal));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var owned in _owned.Values)
            await owned.DisposeAsync();
    }

    protected override void BeginTerm() => _applied.Clear();

    protected override async Task ReconcileAsync(CancellationToken cancellation)
    {
        var failures = new PartialFailure();
        await failures.TryAsync(() => EnsureClassAsync(cancellation));
        if (_owned.Values.All(o => o.IsComplete))
        {
            var state = _mesh.Current.Translated;
            var classes = state.Resources.GatewayClasses.ToDictionary(c => c.Name, StringComparer.Ordinal);
            foreach (var gateway in state.Resources.Gateways.Where(g => IsOurs(g, classes.GetValueOrDefault(g.ClassName), state.Settings)))
                await failures.TryAsync(() => DeployAsync(gateway, state, cancellation));
        }
        failures.ThrowIfAny();
    }

    private static bool IsOurs(Gateway gateway, GatewayClass? gatewayClass, MeshSettings settings)
    {
        if (!WaypointCatalog.IsManagedWaypoint(gateway, gatewayClass) || gateway.SpecAddresses.Count > 0 || gateway.Meta.Deleting)
            return false;
        if (settings.Revision.Length > 0 && gateway.Meta.Label(WellKnown.Revision) is { Length: > 0 } revision && revision != settings.Revision)
            return false;
        return !int.TryParse(gateway.Meta.Annotation(WaypointMetadata.ControllerVersionAnnotation), NumberStyles.None, CultureInfo.InvariantCulture, out var version) || version <= WaypointTemplate.ControllerVersion;
    }

    /// <summary>Made once; an existing one is somebody's, and stays as it is.</summary>
    private async Task EnsureClassAsync(CancellationToken cancellation)
    {
        if (_mesh.Resources.GatewayClasses.Any(c => c.Name == ClassName) || await _client.FindAsync(GatewayClasses, cancellation) is not { } type)
            return;
        var body = new JsonObject
        {
            ["apiVersion"] = type.ApiVersion,
            ["kind"] = type.Kind,
            ["metadata"] = new JsonObject { ["name"] = ClassName },
            ["spec"] = new JsonObject { ["controllerName"] = WellKnown.MeshController, ["description"] = "Waypoints of the mesh" },
        };
        await _client.ApplyAsync(type, null, ClassName, body, Manager, force: false, null, cancellation);
        Log?.Info($"GatewayClass {ClassName} made");
    }

    private static ResourceChoice GatewayClasses => new("gateway.networking.k8s.io", "gatewayclasses", "GatewayClass", false, ["v1", "v1beta1"]);

    private async Task DeployAsync(Gateway gateway, Translated state, CancellationToken cancellation)
    {
        var network = WaypointMetadata.NetworkOf(state.Resources, state.Settings);
        var run = ProxyConfigs.For(state.Resources, state.Settings, gateway);
        var overlays = await OverlaysAsync(gateway, state, cancellation);
        await StampAsync(gateway, cancellation);
        foreach (var item in WaypointTemplate.Of(gateway, state.Settings, _settings, network, run, overlays))
        {
            var key = (item.Type, item.Namespace, item.Name);
            var wanted = item.Body.ToJsonString();
            var live = _owned.GetValueOrDefault(item.Type)?.Find(item.Namespace, item.Name);
            if (_applied.TryGetValue(key, out var applied) && applied.Wanted == wanted && (live == applied.Mark || !_owned.ContainsKey(item.Type)))
                continue;
            if (live is null && _owned.ContainsKey(item.Type) && await IsSomebodyElsesAsync(item, gateway, cancellation))
                continue;
            var result = await _client.ApplyAsync(item.Type, item.Namespace, item.Name, item.Body, Manager, force: true, null, cancellation);
            _applied[key] = (wanted, OwnedObjects.MarkOf(result.Metadata));
            Log?.Info($"{item.Type.Kind} {item.Namespace}/{item.Name} of the waypoint {gateway.Namespace}/{gateway.Name} applied");
        }
    }

    /// <summary>An object of that name that does not carry our mark was made by a person: it is left alone, and the person is told.</summary>
    private async Task<bool> IsSomebodyElsesAsync(WaypointObject item, Gateway gateway, CancellationToken cancellation)
    {
        var existing = await _client.FindAsync(item.Type, item.Namespace, item.Name, KubeJson.Default.PartialObject, cancellation);
        if (existing is null || existing.Metadata.Labels?.ContainsKey(WellKnown.GatewayManaged) is true)
            return false;
        _tell(gateway, "NotManaged", $"{item.Type.Kind} {item.Name} exists and is not ours (it has no label {WellKnown.GatewayManaged}); it is left as it is. Rename it, or the Gateway.");
        return true;
    }

    /// <summary>Tells other controllers that this one, of this version, looks after the Gateway.</summary>
    private async Task StampAsync(Gateway gateway, CancellationToken cancellation)
    {
        var version = WaypointTemplate.ControllerVersion.ToString(CultureInfo.InvariantCulture);
        if (gateway.Meta.Annotation(WaypointMetadata.ControllerVersionAnnotation) == version)
            return;
        var type = await _client.FindAsync(new ResourceChoice("gateway.networking.k8s.io", "gateways", "Gateway", true, ["v1", "v1beta1"]), cancellation);
        if (type is null)
            return;
        var body = new JsonObject
        {
            ["apiVersion"] = type.ApiVersion,
            ["kind"] = type.Kind,
            // Whoever deleted and made it anew meanwhile gets no half object from us.
            ["metadata"] = new JsonObject { ["name"] = gateway.Name, ["namespace"] = gateway.Namespace, ["uid"] = gateway.Meta.Uid, ["annotations"] = new JsonObject { [WaypointMetadata.ControllerVersionAnnotation] = version } },
        };
        await _client.MergeAsync(type, gateway.Namespace, gateway.Name, body, null, cancellation);
    }

    private async Task<IReadOnlyList<WaypointOverlay>> OverlaysAsync(Gateway gateway, Translated state, CancellationToken cancellation)
    {
        var overlays = new List<WaypointOverlay>();
        var ofClass = state.Resources.ConfigMaps.FirstOrDefault(c => c.Namespace == state.Settings.SystemNamespace && c.Meta.Label("gateway.istio.io/defaults-for-class") == gateway.ClassName);
        if (ofClass is not null)
            overlays.Add(new WaypointOverlay(ofClass.Data, fault => _tell(gateway, "InvalidParameters", $"ConfigMap {ofClass.Namespace}/{ofClass.Name}: {fault}")));
        if (gateway.ParametersName is not { } name)
            return overlays;
        var own = await _client.FindAsync(ResourceTypes.ConfigMaps, gateway.Namespace, name, KubeJson.Default.ConfigMap, cancellation);
        if (own is null)
            _tell(gateway, "InvalidParameters", $"the ConfigMap {name} that spec.infrastructure.parametersRef names does not exist in {gateway.Namespace}; create it");
        else
            overlays.Add(new WaypointOverlay(own.Data ?? new Dictionary<string, string>(StringComparer.Ordinal), fault => _tell(gateway, "InvalidParameters", $"ConfigMap {name}: {fault}")));
        return overlays;
    }
}
