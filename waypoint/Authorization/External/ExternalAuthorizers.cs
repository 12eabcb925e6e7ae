using Mesh.Waypoint.Forwarding;
using Mesh.Waypoint.Routing;
using Mesh.Waypoint.Transport;

namespace Mesh.Waypoint.Authorization.External;

/// <summary>Asks authorizers, with their deadline.</summary>
internal sealed class ExternalAuthorizers(ServiceClients clients, TimeProvider time)
{
    public Task<AuthorizerAnswer> AskAsync(ExternalAuthorizer authorizer, Exchange exchange, PeekedBody? body, CancellationToken clientGone) =>
        WithDeadlineAsync(authorizer, clientGone, cancellation =>
        {
            var client = clients.For(authorizer.Cluster, authorizer.Authority);
            return authorizer.Http is null
                ? GrpcAuthorizerClient.AskAsync(client, CheckRequests.Of(exchange, authorizer.Body, body, time.GetUtcNow()), cancellation)
                : HttpAuthorizerClient.AskAsync(client, authorizer, exchange, body, cancellation);
        });

    /// <summary>A connection that is not HTTP. Only gRPC authorizers can be asked about one; any other denies.</summary>
    public async Task<Verdict> AuthorizeConnectionAsync(IEnumerable<AuthorizationRuleSet> policies, InboundConnection connection, Destination destination, CancellationToken cancellation)
    {
        foreach (var policy in policies)
        {
            if (policy.Authorizer is not { Http: null } authorizer)
                return Verdict.Unaskable(policy);
            var answer = await WithDeadlineAsync(authorizer, cancellation, c =>
                GrpcAuthorizerClient.AskAsync(clients.For(authorizer.Cluster, authorizer.Authority), CheckRequests.OfConnection(connection, destination), c));
            if (answer.Verdict == AuthorizerVerdict.Denied)
                return new Verdict(false, $"ext_authz_denied[{authorizer.Name}]");
            if (answer.Verdict == AuthorizerVerdict.Failed && !authorizer.FailOpen)
                return new Verdict(false, $"ext_authz_error[{authorizer.Name}: {answer.Reason}]");
        }

        return Verdict.Allowed;
    }

    private async Task<AuthorizerAnswer> WithDeadlineAsync(ExternalAuthorizer authorizer, CancellationToken clientGone, Func<CancellationToken, Task<AuthorizerAnswer>> ask)
    {
        using var elapsed = new CancellationTokenSource(authorizer.Timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(elapsed.Token, clientGone);
        try
        {
            return await ask(either.Token);
        }
        catch (Exception) when (elapsed.IsCancellationRequested && !clientGone.IsCancellationRequested)
        {
            return AuthorizerAnswer.Failure($"no answer within {authorizer.Timeout}");
        }
    }
}
