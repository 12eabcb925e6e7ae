using Mesh.Waypoint.Authorization;
using Mesh.Waypoint.Forwarding;
using Mesh.Waypoint.Routing;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Pipeline;

/// <summary>RequestAuthentication: a bad token is answered here, a valid one becomes claims.</summary>
internal sealed class JwtStep(Func<PolicyTable> policies, JwtAuthenticator authenticator)
{
    public Task InvokeAsync(HttpContext http, RequestDelegate next)
    {
        var exchange = Exchange.Of(http);
        var rules = policies().For(exchange.Destination!).Jwt;

        // Browsers send preflights without credentials.
        return rules.Length == 0 || CorsRule.IsPreflight(exchange.Facts) ? next(http) : AuthenticateAsync(exchange, rules, next);
    }

    private async Task AuthenticateAsync(Exchange exchange, JwtRule[] rules, RequestDelegate next)
    {
        var http = exchange.Http;
        var step = new TokenRemoval();
        var result = await authenticator.AuthenticateAsync(rules, exchange.Facts, step, http.RequestAborted);
        if (result.Status != 0)
        {
            // The realm has no query: it would echo a token that was sent there.
            http.Response.Headers.WWWAuthenticate = $"Bearer realm=\"{exchange.Facts.Scheme}://{exchange.Facts.Authority}{exchange.Facts.Path}\", error=\"invalid_token\"";
            exchange.UpstreamFailure = result.Failure;
            await LocalReply.WriteAsync(exchange, result.Status, result.Reason!, $"jwt_authn_access_denied{{{result.Reason!.Replace(' ', '_')}}}");
            return;
        }

        if (result.Claims is { } claims)
            exchange.Facts = exchange.Facts with { Claims = claims };
        if (step.RemovedParameter is { } parameter)
            exchange.Facts = WithoutParameter(exchange.Facts, parameter);
        if (result.Claims is not null && exchange.Port!.LooksAtClaims)
            exchange.ChooseRoute(exchange.Port);
        await next(http);
    }

    private static RequestFacts WithoutParameter(RequestFacts facts, string name)
    {
        var kept = string.Join('&', facts.Query.Split('&').Where(p => p != name && !p.StartsWith(name + "=", StringComparison.Ordinal)));
        return facts with { Query = kept, HasQuery = kept.Length > 0 };
    }
}
