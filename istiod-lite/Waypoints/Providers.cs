using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Translation;
using Mesh.Waypoint.V1;

namespace Mesh.IstiodLite.Waypoints;

/// <summary>Extension providers of MeshConfig as a waypoint reaches them: their service becomes a cluster of its own.</summary>
internal static class Providers
{
    /// <summary>Null, and a warning: nobody can be asked, so the waypoint denies what the policy matches.</summary>
    public static ExternalAuthorizer? Authorizer(AuthorizationPolicy policy, RouteContext context)
    {
        var name = policy.Provider ?? string.Empty;
        var known = context.Settings.ExtensionProviders.Where(p => p.Authorizer is not null).ToList();
        if (known.Find(p => p.Name == name)?.Authorizer is not { } settings)
        {
            context.Report(policy, 0,
                $"its provider \"{name}\" is not an authorizer of MeshConfig (known: {(known.Count == 0 ? "none" : string.Join(", ", known.Select(p => p.Name)))}); what it matches is refused 403",
                "add envoyExtAuthzGrpc or envoyExtAuthzHttp under extensionProviders, or correct the name");
            return null;
        }
        if (Reach(policy, $"provider {name}", settings.Service, context) is not { } cluster)
            return null;
        var result = new ExternalAuthorizer
        {
            Name = name,
            Cluster = cluster,
            Authority = $"{settings.Service.Hostname}:{settings.Service.Port}",
            Timeout = ProtoParts.Of(settings.Timeout),
            FailOpen = settings.FailOpen,
            StatusOnError = (uint)settings.StatusOnError,
            ClearRouteCache = settings.ClearRouteCache,
        };
        if (settings.Body is { } body)
            result.Body = new ExternalAuthorizer.Types.CheckedBody { MaxBytes = body.MaxBytes, AllowPartial = body.AllowPartial, AsBytes = body.AsBytes };
        if (!settings.IsHttp)
        {
            result.Grpc = new ExternalAuthorizer.Types.GrpcCheck();
            return result;
        }
        result.Http = new ExternalAuthorizer.Types.HttpCheck { PathPrefix = settings.PathPrefix };
        result.Http.RequestHeaders.AddRange(settings.RequestHeaders);
        foreach (var (header, value) in settings.AdditionalHeaders)
            result.Http.AdditionalHeaders[header] = value;
        result.Http.UpstreamHeadersOnAllow.AddRange(settings.UpstreamHeadersOnAllow);
        result.Http.DownstreamHeadersOnDeny.AddRange(settings.DownstreamHeadersOnDeny);
        result.Http.DownstreamHeadersOnAllow.AddRange(settings.DownstreamHeadersOnAllow);
        return result;
    }

    /// <summary>The cluster of a service that the waypoint calls itself; null, and a warning: there is no such service or port.</summary>
    public static string? Reach(Resource policy, string what, ProviderService service, RouteContext context)
    {
        var found = service.Namespace is { } ns ? context.Services.Find(ns, service.Hostname) : context.FindService(service.Hostname, policy.Namespace);
        if (found is null)
        {
            context.Report(policy, 0, $"{what} is the service {service.Hostname}, which no Service and no ServiceEntry has", "correct the service, or add it");
            return null;
        }
        if (found.Ports.All(p => p.Number != service.Port))
        {
            context.Report(policy, 0, $"{what} is port {service.Port} of {service.Hostname}, which has no such port (it has {string.Join(", ", found.Ports.Select(p => p.Number))})", "name one of its ports");
            return null;
        }
        return context.Clusters.Require(found, service.Port, string.Empty);
    }
}
