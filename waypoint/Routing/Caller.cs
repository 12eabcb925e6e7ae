using System.Net;

namespace Mesh.Waypoint.Routing;

/// <summary>Who is on the other side of the tunnel: proven by its certificate, never by a header of the request.</summary>
internal sealed class Caller
{
    public static readonly Caller Unknown = new(null, new IPEndPoint(IPAddress.None, 0));

    public Caller(string? spiffe, IPEndPoint address)
    {
        Spiffe = spiffe;
        Address = address;
        const string Scheme = "spiffe://";
        if (spiffe is null || !spiffe.StartsWith(Scheme, StringComparison.Ordinal))
            return;
        Principal = spiffe[Scheme.Length..];
        var parts = Principal.Split('/');
        if (parts is [var trustDomain, "ns", var ns, "sa", var account])
            (TrustDomain, Namespace, ServiceAccount, QualifiedAccount) = (trustDomain, ns, account, $"{ns}/{account}");
    }

    /// <summary><c>spiffe://trust-domain/ns/NS/sa/SA</c>, or null on a tunnel without a client certificate (tests only).</summary>
    public string? Spiffe { get; }

    /// <summary>Without the scheme: the form in which policies name it.</summary>
    public string? Principal { get; }

    public string? TrustDomain { get; }

    public string? Namespace { get; }

    public string? ServiceAccount { get; }

    /// <summary><c>namespace/account</c>, as policies name it.</summary>
    public string? QualifiedAccount { get; }

    /// <summary>What its node says of its workload; for labels only.</summary>
    public ClientLabels Labels { get; init; } = ClientLabels.None;

    /// <summary>The client's own address: from <c>forwarded</c> of its node's proxy, else the tunnel's peer.</summary>
    public IPEndPoint Address { get; }
}
