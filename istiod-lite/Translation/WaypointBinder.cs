using System.Globalization;
using Mesh.IstiodLite.Resources;

namespace Mesh.IstiodLite.Translation;

/// <summary>Why a requested waypoint is not used. The texts are Istio's, so that tools that read conditions understand them.</summary>
internal sealed record BindingFailure(string Reason, string Message);

/// <summary>The outcome for one object: a waypoint, a failure, or nothing asked for.</summary>
internal sealed record WaypointBinding(WaypointInfo? Waypoint, BindingFailure? Failure)
{
    public static readonly WaypointBinding Nothing = new(null, null);

    public WaypointInfo? Canary { get; init; }
    public uint CanaryWeight { get; init; }
    /// <summary>Null: it does not apply.</summary>
    public bool? IngressUsesWaypoint { get; init; }
}

/// <summary>
/// Which waypoint an object uses. An object's own label decides alone; then a waypoint made for its service account; then the label of its
/// namespace. A waypoint that cannot be used never falls back to another one.
/// </summary>
internal sealed class WaypointBinder(WaypointCatalog catalog, IReadOnlyDictionary<string, NamespaceResource> namespaces)
{
    public WaypointBinding ForService(ObjectMeta meta, string? account, bool visibleInNamespaceOnly = false)
    {
        var binding = Resolve(meta, WaypointTraffic.Service, "service", account);
        if (binding.Waypoint is { } waypoint && visibleInNamespaceOnly && waypoint.Namespace != meta.Namespace)
        {
            return new WaypointBinding(null, new BindingFailure("CrossNamespaceWaypointForbidden",
                $"waypoint \"{waypoint.Id}\" is in another namespace, but the ServiceEntry is visible only within its own"));
        }
        return binding.Waypoint is null ? binding : WithIngress(WithCanary(binding, meta), meta);
    }

    public WaypointBinding ForWorkload(ObjectMeta meta, IReadOnlyDictionary<string, string> labels, string? account)
    {
        // Instances of a waypoint are not sent through one: that would be a loop.
        if (labels.ContainsKey(WellKnown.GatewayName) && catalog.Find(meta.Namespace, labels[WellKnown.GatewayName]) is not null)
            return WaypointBinding.Nothing;
        return Resolve(meta with { Labels = labels }, WaypointTraffic.Workload, "workload", account);
    }

    private WaypointBinding Resolve(ObjectMeta meta, WaypointTraffic kind, string kindName, string? account)
    {
        if (meta.Label(WellKnown.UseWaypoint) is { } own)
            return Attach(own, meta.Label(WellKnown.UseWaypointNamespace), meta.Namespace, kind, kindName, isExplicit: true);

        if (!string.IsNullOrEmpty(account) && catalog.FindForAccount(meta.Namespace, account) is { } forAccount && forAccount.Traffic.HasFlag(kind))
            return new WaypointBinding(forAccount, null);

        var ns = namespaces.GetValueOrDefault(meta.Namespace);
        return ns?.Meta.Label(WellKnown.UseWaypoint) is { } inherited
            ? Attach(inherited, ns.Meta.Label(WellKnown.UseWaypointNamespace), meta.Namespace, kind, kindName, isExplicit: false)
            : WaypointBinding.Nothing;
    }

    private WaypointBinding Attach(string name, string? waypointNamespace, string objectNamespace, WaypointTraffic kind, string kindName, bool isExplicit)
    {
        if (name.Length == 0 || name is "none")
            return WaypointBinding.Nothing;
        var ns = string.IsNullOrEmpty(waypointNamespace) ? objectNamespace : waypointNamespace;
        var waypoint = catalog.Find(ns, name);
        if (waypoint is null)
            return new WaypointBinding(null, new BindingFailure("WaypointIsNotReady", $"waypoint \"{ns}/{name}\" is not ready"));
        if (!MayAttach(waypoint, objectNamespace))
            return new WaypointBinding(null, new BindingFailure("AttachmentDenied", $"we are not permitted to attach to waypoint \"{waypoint.Id}\" (missing allowedRoutes?)"));
        if (waypoint.Traffic.HasFlag(kind) && waypoint.Traffic != WaypointTraffic.None)
            return new WaypointBinding(waypoint, null);
        // A pod that merely inherits a waypoint for services is not a mistake; a service that inherits one for workloads is reported, as Istio does.
        if (!isExplicit && kind is WaypointTraffic.Workload)
            return WaypointBinding.Nothing;
        return new WaypointBinding(null, new BindingFailure("UnsupportedTrafficType",
            $"attempting to bind to traffic type \"{kindName}\" which the waypoint \"{waypoint.Id}\" does not support"));
    }

    private bool MayAttach(WaypointInfo waypoint, string objectNamespace)
    {
        if (waypoint.Namespace == objectNamespace)
            return true;
        var listener = waypoint.Gateway.Listeners.FirstOrDefault(l => l is { Port: (int)WellKnown.HbonePort, Protocol: "HBONE" });
        return listener?.AllowedFrom switch
        {
            "All" => true,
            "Selector" => listener.AllowedNamespaces is { } selector && namespaces.GetValueOrDefault(objectNamespace) is { } ns && selector.Matches(ns.Meta.Labels),
            _ => false,
        };
    }

    private WaypointBinding WithCanary(WaypointBinding binding, ObjectMeta meta)
    {
        // Primary and canary come from the same place: an object that names its own primary does not take the namespace's canary.
        var source = meta.Label(WellKnown.UseWaypoint) is not null ? meta : namespaces.GetValueOrDefault(meta.Namespace)?.Meta;
        if (source?.Label(WellKnown.UseWaypointCanary) is not { Length: > 0 } name || name is "none")
            return binding;
        var text = meta.Annotation(WellKnown.UseWaypointCanaryWeight) ?? source.Annotation(WellKnown.UseWaypointCanaryWeight) ?? "0";
        if (!uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var weight) || weight > 100)
            return binding with { Failure = new BindingFailure("CanaryInvalidWeight", $"canary weight \"{text}\" must be within 0 and 100") };
        var attached = Attach(name, source.Label(WellKnown.UseWaypointCanaryNamespace), meta.Namespace, WaypointTraffic.Service, "service", isExplicit: true);
        if (attached.Waypoint is null)
            return binding with { Failure = attached.Failure };
        if (attached.Waypoint == binding.Waypoint)
            return binding with { Failure = new BindingFailure("CanarySameAsPrimary", $"waypoint \"{attached.Waypoint.Id}\" is primary and canary") };
        return binding with { Canary = attached.Waypoint, CanaryWeight = weight };
    }

    private WaypointBinding WithIngress(WaypointBinding binding, ObjectMeta meta)
    {
        var own = meta.Label(WellKnown.IngressUseWaypoint);
        var text = own ?? namespaces.GetValueOrDefault(meta.Namespace)?.Meta.Label(WellKnown.IngressUseWaypoint);
        return text is null ? binding : binding with { IngressUsesWaypoint = text is "true" };
    }
}
