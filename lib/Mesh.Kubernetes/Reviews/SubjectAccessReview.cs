using Mesh.Kubernetes.Objects;
using Mesh.Kubernetes.Requests;

namespace Mesh.Kubernetes.Reviews;

/// <summary>authorization.k8s.io/v1 SubjectAccessReview: may this user do this?</summary>
public sealed record SubjectAccessReview
{
    public string ApiVersion { get; init; } = "authorization.k8s.io/v1";
    public string Kind { get; init; } = "SubjectAccessReview";
    public SubjectAccessReviewSpec Spec { get; init; } = new();
    public SubjectAccessReviewStatus? Status { get; init; }
}

public sealed record SubjectAccessReviewSpec
{
    public string? User { get; init; }
    public IReadOnlyList<string>? Groups { get; init; }
    public ResourceAttributes? ResourceAttributes { get; init; }
}

public sealed record ResourceAttributes
{
    public string? Namespace { get; init; }
    public string? Verb { get; init; }
    public string? Group { get; init; }
    public string? Resource { get; init; }
    public string? Subresource { get; init; }
    public string? Name { get; init; }
}

public sealed record SubjectAccessReviewStatus
{
    /// <summary>Absent is no.</summary>
    public bool? Allowed { get; init; }
    public string? Reason { get; init; }
}

public static class AccessReviewer
{
    public static async Task<(bool Allowed, string Reason)> ReviewAccessAsync(this KubeClient client, SubjectAccessReviewSpec question, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(client);
        var answer = await client.AskAsync(ResourceTypes.SubjectAccessReviews, null, new SubjectAccessReview { Spec = question }, KubeJson.Default.SubjectAccessReview, cancellation);
        return (answer.Status?.Allowed is true, answer.Status?.Reason ?? string.Empty);
    }
}
