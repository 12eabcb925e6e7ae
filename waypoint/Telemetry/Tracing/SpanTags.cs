using System.Diagnostics;
using System.Globalization;
using Mesh.Waypoint.Forwarding;

namespace Mesh.Waypoint.Telemetry.Tracing;

/// <summary>The tags of a request's span: those of Istio's waypoint (reference 5.8).</summary>
internal static class SpanTags
{
    public static void Set(Activity span, Exchange exchange, TracingRule rule)
    {
        var http = exchange.Http;
        var facts = exchange.Facts;
        var clientLeft = http.RequestAborted.IsCancellationRequested && !http.Response.HasStarted;
        var status = clientLeft ? 0 : http.Response.StatusCode;
        var path = exchange.OriginalPath.Length > rule.MaxTagLength ? exchange.OriginalPath[..rule.MaxTagLength] : exchange.OriginalPath;
        span.SetTag("component", "proxy");
        span.SetTag("http.method", facts.Method);
        span.SetTag("http.url", $"{facts.Scheme}://{facts.Authority}{path}");
        span.SetTag("http.protocol", http.Request.Protocol);
        span.SetTag("http.status_code", status.ToString(CultureInfo.InvariantCulture));
        span.SetTag("user_agent", http.Request.Headers.UserAgent.ToString());
        span.SetTag("request_size", exchange.BytesReceived.ToString(CultureInfo.InvariantCulture));
        span.SetTag("response_size", exchange.BytesSent.ToString(CultureInfo.InvariantCulture));
        span.SetTag("response_flags", exchange.Flags.ToText());
        span.SetTag("guid:x-request-id", http.Request.Headers["x-request-id"].ToString());
        span.SetTag("peer.address", exchange.Connection.Caller.Address.Address.ToString());
        if (exchange.Cluster is { } cluster)
        {
            span.SetTag("upstream_cluster", cluster.Name);
            span.SetTag("upstream_cluster.name", cluster.Name);
        }

        if (exchange.GrpcStatus is { } grpc)
            span.SetTag("grpc.status_code", grpc.ToString(CultureInfo.InvariantCulture));
        if (!rule.Source.DisableIstioTags)
            SetIstio(span, exchange);
        if (exchange.DryRun is { } dryRun)
            span.SetTag("dry_run", dryRun);
        foreach (var (name, value) in rule.Tags(exchange))
            span.SetTag(name, value);
        if (status >= 500 || clientLeft || exchange.GrpcStatus is > 0)
        {
            span.SetTag("error", "true");
            span.SetStatus(ActivityStatusCode.Error, exchange.Details);
        }
    }

    private static void SetIstio(Activity span, Exchange exchange)
    {
        var caller = exchange.Connection.Caller;
        span.SetTag("istio.source_namespace", caller.Namespace);
        span.SetTag("istio.source_principal", caller.Spiffe);
        span.SetTag("istio.namespace", exchange.Destination!.Namespace);
        if (exchange.Endpoint?.Description is not { } endpoint)
            return;
        span.SetTag("istio.destination_workload", endpoint.WorkloadName);
        span.SetTag("istio.destination_namespace", endpoint.WorkloadNamespace);
        span.SetTag("istio.destination_canonical_service", endpoint.CanonicalName);
        span.SetTag("istio.destination_canonical_revision", endpoint.CanonicalRevision);
        span.SetTag("istio.destination_cluster_id", endpoint.ClusterId);
    }
}
