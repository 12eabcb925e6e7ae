using System.Collections.Concurrent;
using Mesh.Runtime.Metrics;

namespace Mesh.IstiodLite.Telemetry;

/// <summary>What can be wrong with a control plane itself. The name is the reason of the Event on its pod, and in snake case the label of the metric.</summary>
internal enum PlaneFault
{
    /// <summary>The clock of its node is not that of the API server: what it issues seems to have ended, or not to have begun.</summary>
    ClockSkew,

    /// <summary>The authority is in this process's memory only: whoever starts next makes another one.</summary>
    StateNotKept,

    ApiServerAway,

    /// <summary>The authority, or what is above it, ends soon.</summary>
    AuthorityEnding,

    /// <summary>Somebody plugged in an authority that cannot be used; the one before signs on.</summary>
    AuthorityUnusable,

    /// <summary>Statuses, waypoints, roots or the webhook are not written, or nobody can lead.</summary>
    LeaderCannotWrite,
}

/// <summary>Which parts of <see cref="Health"/> are bad days of the control plane, and how many stand. Any thread.</summary>
internal sealed class PlaneFaults
{
    public const string Clock = "clock";
    public const string Source = "source";
    public const string Leadership = "leadership";
    public const string Authority = "authority";
    public const string AuthorityEnd = "authority end";
    public const string AuthoritySecret = "authority secret";

    private readonly Health _health;
    private readonly ConcurrentDictionary<string, PlaneFault> _parts = new(StringComparer.Ordinal)
    {
        [Clock] = PlaneFault.ClockSkew,
        [Source] = PlaneFault.ApiServerAway,
        [Leadership] = PlaneFault.LeaderCannotWrite,
        [Authority] = PlaneFault.AuthorityUnusable,
        [AuthorityEnd] = PlaneFault.AuthorityEnding,
        [AuthoritySecret] = PlaneFault.StateNotKept,
    };

    public PlaneFaults(Health health, MetricRegistry registry)
    {
        _health = health;
        registry.SampledGauge("istiod_lite_control_plane_faults", "What is wrong with the control plane itself right now", samples =>
        {
            // Zeros, too: an alert needs the series before the first fault.
            var counts = Current().CountBy(c => c.Fault).ToDictionary();
            foreach (var fault in Enum.GetValues<PlaneFault>())
                samples.Write(counts.GetValueOrDefault(fault), LabelSet.Of(("fault", SnakeCase.Of(fault))));
        });
    }

    /// <summary>What fails under this name is a fault of the leader's writing.</summary>
    public void IsWriting(string part) => _parts[part] = PlaneFault.LeaderCannotWrite;

    /// <summary>One for each part that fails: the first thing that is wrong with it.</summary>
    public IEnumerable<(PlaneFault Fault, string Part, string Text)> Current() => _health.Current(_parts.ContainsKey)
        .DistinctBy(f => f.Part, StringComparer.Ordinal)
        .Select(f => (_parts[f.Part], f.Part, f.Text));
}
