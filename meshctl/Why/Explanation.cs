namespace Mesh.Meshctl.Why;

/// <summary>What an ending means for whoever has to mend it, in two sentences: what happened, and what to do.</summary>
/// <param name="Reason">What happened, and where.</param>
/// <param name="Action">What to do; null where there is nothing to mend.</param>
internal sealed record Explanation(string Reason, string? Action)
{
    /// <summary>Shorter than this nobody looks for where the time went.</summary>
    private const double SlowMilliseconds = 100;

    public static Explanation Of(ConnectionStory story)
    {
        var cause = story.Cause;
        if (cause.IsOpen)
            return StillOpen(story, cause);
        var ending = cause.Ending;
        if (ending == "tunnel_refused")
        {
            // The next hop's own record is not there, or it would be the cause.
            var reason = story.StatedByTheNext;
            return new Explanation(
                $"{cause.Text("dst.addr")} refused the CONNECT{(reason is null ? $": {cause.Text("error")}" : $" and gave {reason} as its reason")}; it keeps no record of it (any more).",
                reason is null ? "look at the log of the proxy there." : ActionFor(reason, cause));
        }
        return ending == "ok" ? WhereTheTimeWent(story) : new Explanation($"{cause.Proxy} ended it: {Meaning(ending)}{Detail(cause)}", ActionFor(ending, cause));
    }

    private static string Detail(Hop hop) => hop.Text("error") is { } error ? $" ({error})." : ".";

    private static string Meaning(string ending) => ending switch
    {
        "denied_by_policy" => "a DENY policy matched",
        "no_policy_matched" => "ALLOW policies are in force for the destination and none of them matched",
        "policy_changed" => "it was open when a policy came that forbids it",
        "identity_not_issued" => "this node has no certificate for the pod's identity, so nothing was sent",
        "peer_identity_mismatch" => "whoever answered proved another identity than the control plane allows for that address",
        "tls_failure" => "the TLS handshake failed",
        "protocol_failure" => "the other proxy does not speak HTTP/2 as it should",
        "certificate_revoked" => "a certificate is on the revocation list",
        "bad_destination" => "the address that was asked for is not this pod's",
        "unknown_workload" => "the control plane has not told this node about the pod",
        "no_healthy_upstream" => "nothing that may be used stands behind the destination",
        "self_call" => "the connection would have come back to the proxy itself",
        "upstream_refused" => "the far end refused the TCP connection: nothing listens on that port",
        "upstream_timeout" => "the far end did not answer in time",
        "upstream_unreachable" => "the far end cannot be reached",
        "tunnel_lost" => "the tunnel's connection broke while it was open",
        "peer_reset" => "one of the two programs reset it",
        "drained" => "the proxy was shut down and it had not ended by the end of the drain",
        "half_close_deadline" => "one side had ended and nothing moved until the deadline",
        "over_budget" => "a program did not read, and the bytes that waited for it used up the node's budget",
        "pod_removed" => "the pod was deleted",
        "token_refused" => "the request's token is not valid for the destination's RequestAuthentication",
        "rate_limited" => "a rate limit was used up",
        "upstream_overflow" => "the destination's limit of requests or connections was reached",
        "fault_injected" => "the route injects this failure",
        "internal_error" => "a fault of the proxy",
        _ => ending,
    };

    private static string? ActionFor(string ending, Hop hop) => ending switch
    {
        "denied_by_policy" or "policy_changed" => "change the policy named in the steps, or call from an identity or to a port that it does not match.",
        "no_policy_matched" => $"let one of the policies in the steps match {hop.Text("src.identity") ?? "a caller without identity (it came without mTLS)"}.",
        "identity_not_issued" => "see whether the certificate authority answers this node and may sign for the pod's service account; the reason above is its last word.",
        "peer_identity_mismatch" => "see which pod really has that address: stale endpoints, or a server that took the address of another.",
        "tls_failure" or "certificate_revoked" => "compare roots and validity of both sides' certificates: 'meshctl status' shows them.",
        "bad_destination" => "see whether the client's node has stale endpoints.",
        "unknown_workload" => "see whether the control plane is connected and knows the pod: 'meshctl status'.",
        "no_healthy_upstream" => "see whether pods stand behind the service, are ready, and listen on the service's target port.",
        "upstream_refused" => "see whether the program in the destination pod runs and listens on that port and address.",
        "upstream_timeout" => "see whether the node is up and a NetworkPolicy or firewall lets port 15008 pass.",
        "upstream_unreachable" => "see the route between the two nodes.",
        "tunnel_lost" => "see whether the other node's proxy restarted or the network between them broke.",
        "peer_reset" => "ask the program; the mesh passed the reset on.",
        "over_budget" => "find out why the program does not read, or raise ZTUNNEL_WAITING_MEGABYTES.",
        "half_close_deadline" => "if the silence is wanted, raise ZTUNNEL_HALF_CLOSE_DEADLINE.",
        "token_refused" => "see the reason above; issuer, audience, keys and times are those of the RequestAuthentication.",
        "rate_limited" => $"call less often, or raise the limit {hop.Text("policy")}.",
        "upstream_overflow" => "raise the connectionPool of the DestinationRule, or add instances.",
        "fault_injected" => $"remove the fault from {hop.Text("route_origin") ?? "the route"}.",
        "internal_error" or "protocol_failure" => "the proxy's log has the details.",
        _ => null,
    };

    private static Explanation StillOpen(ConnectionStory story, Hop last)
    {
        if (last.Number("connect_ms") is null)
            return new Explanation($"{last.Proxy} has not decided yet where it goes.", "see whether the control plane answers: 'meshctl status'.");
        if (last.Number("idle_ms") is null)
            return new Explanation($"{last.Proxy} is still trying to reach {last.Text("dst.addr")}.", null);
        if (last.Number("first_byte_ms") is null)
        {
            return new Explanation(
                last.Number("bytes_forwarded") > 0
                    ? $"it stands, and the program at {story.Destination} has got {last.Number("bytes_forwarded"):0} bytes and answered nothing for {Span(last.Number("idle_ms"))}."
                    : $"it stands, and the client has sent nothing for {Span(last.Number("idle_ms"))}.",
                null);
        }
        return new Explanation($"it is open; the last byte moved {Span(last.Number("idle_ms"))} ago.", null);
    }

    /// <summary>The largest part of the time, and whose it is.</summary>
    private static Explanation WhereTheTimeWent(ConnectionStory story)
    {
        var (first, last) = (story.Hops[0], story.Hops[^1]);
        var total = first.Number("total_ms") ?? 0;
        if (total < SlowMilliseconds)
            return new Explanation($"nothing is wrong with it: it ended in order after {Span(total)}.", null);
        (double? Time, string Whose)[] parts =
        [
            (first.Number("decide_ms"), $"{first.Proxy} waited for the control plane to decide"),
            (first.Number("connect_ms"), ConnectPart(story, first, last)),
            (last.Number("first_byte_ms"), $"the program at {story.Destination} thought about its first answer"),
            (first.Number("idle_ms"), "nobody said anything at the end"),
        ];
        var most = parts.MaxBy(p => p.Time ?? 0);
        return (most.Time ?? 0) * 2 < total
            ? new Explanation($"it ended in order after {Span(total)}, in which bytes moved.", null)
            : new Explanation($"it ended in order after {Span(total)}; for {Span(most.Time)} of it {most.Whose}.", null);
    }

    private static string ConnectPart(ConnectionStory story, Hop first, Hop last)
    {
        if (!ReferenceEquals(first, last) && last.Number("connect_ms") * 2 > first.Number("connect_ms"))
            return $"{last.Proxy} tried to reach the program at {story.Destination}";
        return first.Number("tls_ms") * 2 > first.Number("connect_ms")
            ? $"the TLS handshake with {first.Text("dst.addr")} went on"
            : $"{first.Proxy} tried to reach {first.Text("dst.addr")}";
    }

    internal static string Span(double? milliseconds) => milliseconds switch
    {
        null => "?",
        < 1000 => $"{milliseconds:0.###} ms",
        < 120_000 => $"{milliseconds / 1000:0.##} s",
        _ => $"{milliseconds / 60_000:0.#} min",
    };
}
