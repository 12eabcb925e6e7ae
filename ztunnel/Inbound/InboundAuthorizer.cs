using System.Collections.Concurrent;
using System.Net;
using Mesh.Model;
using Mesh.Model.Policy;
using Mesh.Model.Workloads;
using Mesh.Runtime.Logging;
using Mesh.Ztunnel.Forwarding;
using Mesh.Ztunnel.Local;
using Mesh.Ztunnel.Settings;
using Mesh.Ztunnel.Telemetry;

namespace Mesh.Ztunnel.Inbound;

/// <summary>A connection that policy let pass, and where it may go. Only <see cref="InboundAuthorizer"/> makes one, so forwarding without a decision does not compile.</summary>
internal sealed class AuthorizedTunnel
{
    private AuthorizedTunnel(IPEndPoint target, ConnectionFacts facts) => (Target, Facts) = (target, facts);

    public IPEndPoint Target { get; }

    public ConnectionFacts Facts { get; }

    internal static AuthorizedTunnel? TryMake(in PolicyDecision decision, IPEndPoint target, in ConnectionFacts facts) =>
        decision.Allowed ? new AuthorizedTunnel(target, facts) : null;
}

/// <summary>Asks policy, says in the log what it found, and turns a yes into an <see cref="AuthorizedTunnel"/>.</summary>
internal sealed class InboundAuthorizer(LogSink sink, bool infoLogging, UnknownPolicy unknownPolicy)
{
    /// <summary>A policy and the record that names it are sent apart: it may be under way.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private readonly Log _log = sink.For("rbac");

    /// <summary>Names that were waited for in vain: the control plane names what it does not have, and nobody waits for that again.</summary>
    private readonly ConcurrentDictionary<string, bool> _absent = new(StringComparer.Ordinal);

    /// <summary>Waits a moment for policies that the pod's record names and that have not arrived yet. Completes at once when all are there.</summary>
    public ValueTask PoliciesArriveAsync(LocalWorkload workload, Workload local)
    {
        foreach (var name in local.AuthorizationPolicies)
        {
            if (workload.Mesh.FindPolicy(name) is null && !_absent.ContainsKey(name))
                return new ValueTask(ArrivesAsync(workload, name));
        }
        return default;
    }

    private async Task ArrivesAsync(LocalWorkload workload, string name)
    {
        if (!await workload.PolicyArrivesAsync(name, Patience))
            _absent.TryAdd(name, true);
    }

    /// <param name="failure">Why not, when the result is null.</param>
    /// <param name="verdict">By which rule; with each policy that was tried and what became of it when the connection is refused.</param>
    public AuthorizedTunnel? Authorize(
        MeshSnapshot mesh, Workload destination, IPEndPoint target, in ConnectionFacts facts, out Failure failure, out ConnectionVerdict verdict)
    {
        var decision = PolicyEvaluator.Evaluate(mesh, destination, facts);
        verdict = new ConnectionVerdict(mesh.Version, decision.Outcome, decision.Policy);
        Note(decision, destination);
        if (decision.UnknownPolicy is { } unknown && unknownPolicy == UnknownPolicy.Deny && decision.Allowed)
        {
            failure = new Failure(Ending.DeniedByPolicy, $"connection closed due to policy rejection: policy {unknown} is named by the workload and not known");
            verdict = verdict with { Steps = [.. Explain(mesh, destination, facts), $"{unknown}: not known, and ZTUNNEL_UNKNOWN_POLICY is deny"] };
            return null;
        }
        if (AuthorizedTunnel.TryMake(decision, target, facts) is { } authorized)
        {
            failure = default;
            return authorized;
        }
        failure = new Failure(decision.Ending, $"connection closed due to policy rejection: {decision.Reason}");
        // Refusals are rare and must explain themselves: the second evaluation writes down every clause.
        verdict = verdict with { Steps = Explain(mesh, destination, facts) };
        return null;
    }

    /// <summary>Each policy that is tried and what becomes of it: the first clause that does not match, or the rule that does.</summary>
    public static IReadOnlyList<string> Explain(MeshSnapshot mesh, Workload destination, in ConnectionFacts facts) =>
        [.. (PolicyEvaluator.Evaluate(mesh, destination, facts, trace: true).Trace ?? [])
            .Select(t => $"{(t.DryRun ? "dry run " : string.Empty)}{t.Action.ToString().ToUpperInvariant()} {t.Policy}: {(t.Matched ? "matched" : "did not match")}: {t.Detail}")];

    private void Note(in PolicyDecision decision, Workload destination)
    {
        if (decision.UnknownPolicy is { } unknown && _log.IsEnabled(LogSeverity.Warn))
            _log.Event(LogSeverity.Warn, "workload names a policy that is not known").Text("policy", unknown).Text("workload", destination.Uid).Write();
        var severity = infoLogging ? LogSeverity.Info : LogSeverity.Debug;
        if (!_log.IsEnabled(severity))
            return;
        if (decision.DryRunDeny is { } wouldDeny)
            _log.Event(severity, "dry run: would be denied").Text("policy", wouldDeny.QualifiedName).Write();
        if (decision.DryRunAllow is { } wouldAllow)
            _log.Event(severity, "dry run: would be allowed").Text("policy", wouldAllow.QualifiedName).Write();
        if (decision.Policy is { } policy)
            _log.Event(severity, decision.Allowed ? "allowed by policy" : "denied by policy").Text("policy", policy.QualifiedName).Write();
    }
}
