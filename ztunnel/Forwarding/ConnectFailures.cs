using System.Net;
using Mesh.Model;
using Mesh.Net;

namespace Mesh.Ztunnel.Forwarding;

/// <summary>A failed connection attempt in the words of the access log.</summary>
internal static class ConnectFailures
{
    public static Failure ToFailure(this in ConnectResult result, string prefix, IPEndPoint remote)
    {
        var ending = result.Failure switch
        {
            ConnectFailure.Refused => Ending.UpstreamRefused,
            ConnectFailure.TimedOut => Ending.UpstreamTimeout,
            _ => Ending.UpstreamUnreachable,
        };
        var text = result.Failure == ConnectFailure.Refused ? "Connection refused (os error 111)" : result.Detail ?? $"cannot connect to {remote}";
        return new Failure(ending, $"{prefix}: {text}");
    }
}
