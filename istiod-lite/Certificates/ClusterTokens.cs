using Mesh.Kubernetes;
using Mesh.Kubernetes.Requests;
using Mesh.Kubernetes.Reviews;
using Mesh.Xds.Grpc;

namespace Mesh.IstiodLite.Certificates;

/// <summary>
/// Who holds a token, as the API server says; and who of them is a node's agent (reference: istiod 6.2, 6.3): a trusted account, with a token that is bound
/// to a pod which we know, not ended, of the same uid and account. No verdict is kept: a deleted pod's token must not live on here.
/// </summary>
internal sealed class ClusterTokens(KubeClient client, IReadOnlyList<string> audiences, IReadOnlySet<string> trustedNodeAccounts, IMeshView mesh) : ITokenVerifier
{
    public async ValueTask<(Caller? Caller, string Reason)> VerifyAsync(string? token, CancellationToken cancellation)
    {
        ReviewedServiceAccount? account;
        string reason;
        try
        {
            (account, reason) = await client.ReviewTokenAsync(token ?? string.Empty, audiences, cancellation);
        }
        catch (KubeException e)
        {
            // Not a word about the token: the caller shall come again.
            throw new GrpcException(GrpcStatusCode.Unavailable, $"the token cannot be reviewed now: {e.Message}");
        }
        if (account is null)
            return (null, reason);
        if (!trustedNodeAccounts.Contains($"{account.Namespace}/{account.Name}"))
            return (new WorkloadCaller(account.Namespace, account.Name, account.Pod), string.Empty);
        if (account.Pod is null)
            return (null, $"the token of the node agent {account.Namespace}/{account.Name} is not bound to a pod");
        var pod = Find(account);
        if (pod is null)
        {
            // It may be newer than what we have heard.
            await mesh.RefreshAsync();
            pod = Find(account);
        }
        return pod is null
            ? (null, $"the pod {account.Namespace}/{account.Pod} of the token is not known, has ended, or is another one of that name")
            : (new NodeCaller(pod.NodeName) { Account = (account.Namespace, account.Name) }, string.Empty);
    }

    private Resources.Pod? Find(ReviewedServiceAccount account) =>
        mesh.Resources.Find<Resources.Pod>("Pod", account.Namespace, account.Pod!) is { NodeName.Length: > 0, IsTerminal: false } pod
        && (account.PodUid is null || pod.Meta.Uid == account.PodUid) && pod.ServiceAccountOrDefault == account.Name ? pod : null;
}
