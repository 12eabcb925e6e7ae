using Mesh.Waypoint.Authorization;
using Mesh.Waypoint.Forwarding;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Pipeline;

/// <summary>AuthorizationPolicies: DENY, then ALLOW; CUSTOM was asked before tokens were looked at.</summary>
internal sealed class AuthorizationStep(Func<PolicyTable> policies)
{
    public Task InvokeAsync(HttpContext http, RequestDelegate next)
    {
        var exchange = Exchange.Of(http);
        var facts = new PolicyFacts(exchange.Connection.Caller, exchange.Connection.Original, exchange.Facts, exchange.Claims);
        var set = policies().For(exchange.Destination!);
        if (set.HasDryRun)
            exchange.DryRun = set.EvaluateDryRun(facts);
        var verdict = set.Evaluate(facts);
        return verdict.IsAllowed
            ? next(http)
            : LocalReply.WriteAsync(exchange, StatusCodes.Status403Forbidden, "RBAC: access denied", verdict.Details!);
    }
}
