using System.Net;
using Mesh.Ztunnel.Forwarding;

namespace Mesh.Ztunnel.Inbound;

/// <summary>Where an accepted stream is delivered.</summary>
/// <param name="Target">The final address: what policies see, and what is dialled unless <see cref="ToLoopback"/>.</param>
/// <param name="ProxyTarget">Set: a PROXY header names this as the destination.</param>
/// <param name="ToLoopback">Dial the same port on loopback: the application is itself a proxy in the pod.</param>
internal sealed record InboundRoute(IPEndPoint Target, IPEndPoint? ProxyTarget, bool ToLoopback);

/// <summary>Either a route or a refusal with its status.</summary>
internal readonly record struct InboundDecision(InboundRoute? Route, int Status, Failure Failure)
{
    public static InboundDecision Refuse(int status, Failure failure) => new(null, status, failure);
}
