using System.Diagnostics.CodeAnalysis;

namespace Mesh.Model;

/// <summary>The identity of a workload: <c>spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/SERVICE-ACCOUNT</c>.</summary>
public readonly record struct SpiffeId(string TrustDomain, string Namespace, string ServiceAccount)
{
    public const string Scheme = "spiffe://";
    private const string NamespaceMark = "/ns/";
    private const string AccountMark = "/sa/";

    /// <summary>The id without <c>spiffe://</c>: the form that policies are written in.</summary>
    public string Principal => $"{TrustDomain}/ns/{Namespace}/sa/{ServiceAccount}";

    /// <summary>How many characters <see cref="TryFormatPrincipal"/> writes.</summary>
    public int PrincipalLength => (TrustDomain?.Length ?? 0) + NamespaceMark.Length + (Namespace?.Length ?? 0) + AccountMark.Length + (ServiceAccount?.Length ?? 0);

    /// <summary>
    /// Exactly five segments after the scheme, case-sensitive; empty names are taken, a trailing slash is not.
    /// Stricter would refuse certificates that Istio's own proxies accept.
    /// </summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out SpiffeId id)
    {
        id = default;
        if (text is null || !text.StartsWith(Scheme, StringComparison.Ordinal))
            return false;

        var rest = text.AsSpan(Scheme.Length);
        Span<Range> parts = stackalloc Range[6];
        if (rest.Split(parts, '/') != 5 || !rest[parts[1]].SequenceEqual("ns") || !rest[parts[3]].SequenceEqual("sa"))
            return false;

        id = new(rest[parts[0]].ToString(), rest[parts[2]].ToString(), rest[parts[4]].ToString());
        return true;
    }

    public static SpiffeId Parse(string text) => TryParse(text, out var id)
        ? id
        : throw new FormatException($"\"{text}\" is not a SPIFFE id of the form spiffe://<trust domain>/ns/<namespace>/sa/<service account>");

    /// <summary>Writes <see cref="Principal"/> without allocating, for matching.</summary>
    public bool TryFormatPrincipal(Span<char> destination, out int written) =>
        destination.TryWrite($"{TrustDomain}{NamespaceMark}{Namespace}{AccountMark}{ServiceAccount}", out written);

    public override string ToString() => $"{Scheme}{TrustDomain}/ns/{Namespace}/sa/{ServiceAccount}";
}
