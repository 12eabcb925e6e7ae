using Mesh.Waypoint.Authorization;
using Mesh.Waypoint.Authorization.External;
using Mesh.Waypoint.Forwarding;
using Mesh.Waypoint.Routing;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Pipeline;

/// <summary>
/// CUSTOM policies: every authorizer that a matching one names has to allow the request. Runs before tokens are looked at, so rules about claims
/// cannot be part of them (reference 3.1).
/// </summary>
internal sealed class ExternalAuthorizationStep(Func<PolicyTable> policies, ExternalAuthorizers authorizers, bool refuseAmbiguousPaths)
{
    public Task InvokeAsync(HttpContext http, RequestDelegate next)
    {
        var exchange = Exchange.Of(http);
        var set = policies().For(exchange.Destination!);
        return set.HasCustom ? AskAsync(exchange, set, next) : next(http);
    }

    private async Task AskAsync(Exchange exchange, PolicySet set, RequestDelegate next)
    {
        var http = exchange.Http;
        var facts = new PolicyFacts(exchange.Connection.Caller, exchange.Connection.Original, exchange.Facts, null);
        var matching = set.MatchingCustom(facts);
        if (refuseAmbiguousPaths && set.CustomReadings(facts, matching) is { } ambiguous)
        {
            exchange.Note(ambiguous.Explanation!);
            await LocalReply.WriteAsync(exchange, StatusCodes.Status403Forbidden, "RBAC: access denied", ambiguous.Details!);
            return;
        }

        foreach (var policy in matching)
        {
            if (policy.Authorizer is not { } authorizer)
            {
                await LocalReply.WriteAsync(exchange, StatusCodes.Status403Forbidden, "RBAC: access denied", Verdict.Unaskable(policy).Details!);
                return;
            }

            PeekedBody? body = null;
            if (authorizer.Body is { } rule)
            {
                body = http.Features.Get<Microsoft.AspNetCore.Http.Features.IRequestBodyPipeFeature>() as PeekedBody
                    ?? await PeekedBody.ReadAsync(http, rule.MaxBytes, http.RequestAborted);
                if (!rule.AllowPartial && body is not null && (!body.IsComplete || body.Bytes.Length > rule.MaxBytes))
                {
                    await LocalReply.WriteAsync(exchange, StatusCodes.Status413PayloadTooLarge, "Payload Too Large", "request_payload_too_large");
                    return;
                }
            }

            var answer = await authorizers.AskAsync(authorizer, exchange, body, http.RequestAborted);
            exchange.Authorizer = (authorizer.Name, answer.Verdict);
            if (!await ProceedAsync(exchange, authorizer, answer))
                return;
        }

        await next(http);
    }

    private static async Task<bool> ProceedAsync(Exchange exchange, ExternalAuthorizer authorizer, AuthorizerAnswer answer)
    {
        var response = exchange.Http.Response;
        switch (answer.Verdict)
        {
            case AuthorizerVerdict.Allowed:
                Allow(exchange, authorizer, answer);
                return true;
            case AuthorizerVerdict.Denied:
                HeaderChange.Apply(answer.ResponseHeaders, response.Headers);
                await LocalReply.WriteAsync(exchange, answer.Status, answer.Body, "ext_authz_denied", ResponseFlags.UnauthorizedExternalService);
                return false;
            default:
                exchange.UpstreamFailure = $"authorizer {authorizer.Name}: {answer.Reason}";
                if (authorizer.FailOpen)
                    return true;
                await LocalReply.WriteAsync(exchange, authorizer.StatusOnError, string.Empty, "ext_authz_error", ResponseFlags.UnauthorizedExternalService);
                return false;
        }
    }

    private static void Allow(Exchange exchange, ExternalAuthorizer authorizer, AuthorizerAnswer answer)
    {
        var headers = exchange.Http.Request.Headers;
        foreach (var name in answer.RemovedHeaders)
        {
            if (!name.Equals("host", StringComparison.OrdinalIgnoreCase))
                headers.Remove(name);
        }

        HeaderChange.Apply(answer.RequestHeaders, headers);
        if (answer.SetParameters.Count + answer.RemovedParameters.Count > 0)
        {
            var query = QueryEditor.Edit(exchange.Facts.Query, answer.SetParameters, answer.RemovedParameters);
            exchange.Facts = exchange.Facts with { Query = query, HasQuery = query.Length > 0 };
        }

        if (answer.ResponseHeaders.Count > 0)
            exchange.AddResponseHeaders(answer.ResponseHeaders);
        if (authorizer.ChoosesRouteAgain)
            exchange.ChooseRoute(exchange.Port!);
    }
}
