using Mesh.Kubernetes.Objects;
using Mesh.Kubernetes.Requests;

namespace Mesh.Kubernetes.Reviews;

/// <summary>authentication.k8s.io/v1 TokenReview. The answer is 201 whatever the verdict.</summary>
public sealed record TokenReview
{
    public string ApiVersion { get; init; } = "authentication.k8s.io/v1";
    public string Kind { get; init; } = "TokenReview";
    public TokenReviewSpec Spec { get; init; } = new();
    public TokenReviewStatus? Status { get; init; }
}

public sealed record TokenReviewSpec
{
    public string? Token { get; init; }
    public IReadOnlyList<string>? Audiences { get; init; }

    public override string ToString() => "(a token)";
}

public sealed record TokenReviewStatus
{
    public bool? Authenticated { get; init; }
    public string? Error { get; init; }
    public IReadOnlyList<string>? Audiences { get; init; }
    public ReviewedUser? User { get; init; }
}

public sealed record ReviewedUser
{
    public string? Username { get; init; }
    public string? Uid { get; init; }
    public IReadOnlyList<string>? Groups { get; init; }
    public IReadOnlyDictionary<string, IReadOnlyList<string>>? Extra { get; init; }
}

/// <summary>A service account whose token the API server vouches for.</summary>
public sealed record ReviewedServiceAccount(string Namespace, string Name)
{
    /// <summary>Null: the token is not bound to a pod.</summary>
    public string? Pod { get; init; }
    public string? PodUid { get; init; }
    public string? Node { get; init; }
}

/// <summary>Who holds a token, as the API server says.</summary>
public static class TokenReviewer
{
    private const string Prefix = "system:serviceaccount:";
    private const string Extra = "authentication.kubernetes.io/";

    /// <summary>The service account, or null with the reason. Failing to ask is a <see cref="KubeException"/>: that says nothing about the token.</summary>
    public static async Task<(ReviewedServiceAccount? Account, string Reason)> ReviewTokenAsync(this KubeClient client, string token, IReadOnlyList<string> audiences, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(client);
        ArgumentNullException.ThrowIfNull(audiences);
        // The server answers an empty token with 400.
        if (string.IsNullOrEmpty(token))
            return (null, "the request carries no token");
        var review = new TokenReview { Spec = new TokenReviewSpec { Token = token, Audiences = audiences } };
        var answer = await client.AskAsync(ResourceTypes.TokenReviews, null, review, KubeJson.Default.TokenReview, cancellation);
        return Judge(answer.Status, audiences);
    }

    internal static (ReviewedServiceAccount? Account, string Reason) Judge(TokenReviewStatus? status, IReadOnlyList<string> audiences)
    {
        if (status?.Authenticated is not true)
            return (null, $"the API server does not accept the token{(status?.Error is { Length: > 0 } error ? $": {error}" : "")}");
        if (!(status.Audiences ?? []).Intersect(audiences, StringComparer.Ordinal).Any())
            return (null, $"the token is not for {string.Join(" or ", audiences)}");
        var user = status.User;
        if (user?.Groups?.Contains("system:serviceaccounts", StringComparer.Ordinal) is not true)
            return (null, $"the token's holder {user?.Username} is no service account");
        var parts = user.Username?.StartsWith(Prefix, StringComparison.Ordinal) is true ? user.Username[Prefix.Length..].Split(':') : [];
        if (parts.Length != 2 || parts[0].Length == 0 || parts[1].Length == 0)
            return (null, $"the token's holder {user.Username} is no service account");
        string? Bound(string name) => user.Extra?.GetValueOrDefault(Extra + name)?.FirstOrDefault();
        return (new ReviewedServiceAccount(parts[0], parts[1]) { Pod = Bound("pod-name"), PodUid = Bound("pod-uid"), Node = Bound("node-name") }, string.Empty);
    }
}
