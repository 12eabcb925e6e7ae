using Mesh.Waypoint.Authorization;
using Mesh.Waypoint.Forwarding;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Pipeline;

/// <summary>AuthorizationPolicies: DENY, then ALLOW; CUSTOM was asked before tokens were looked at.</summary>
/// <param name="refuseAmbiguousPaths">Otherwise the path as it is forwarded alone is judged, as Istio does.</param>
internal sealed class AuthorizationStep(Func<PolicyTable> policies, bool refuseAmbiguousPaths)
{
    public Task InvokeAsync(HttpContext http, RequestDelegate next)
    {
        var exchange = Exchange.Of(http);
        var facts = new PolicyFacts(exchange.Connection.Caller, exchange.Connection.Original, exchange.Facts, exchange.Claims);
        var set = policies().For(exchange.Destination!);
        if (set.HasDryRun)
            exchange.DryRun = set.EvaluateDryRun(facts);
        var verdict = refuseAmbiguousPaths ? set.EvaluateReadings(facts) : set.Evaluate(facts);
        if (verdict.IsAllowed)
            return next(http);
        if (verdict.Explanation is { } explanation)
            exchange.Note(explanation);
        return LocalReply.WriteAsync(exchange, StatusCodes.Status403Forbidden, "RBAC: access denied", verdict.Details!);
    }
}
