using System.Collections.Immutable;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Waypoints;

namespace Mesh.IstiodLite.Translation.Incremental;

/// <summary>What waypoints were sent last, each kept up by its own <see cref="WaypointState"/>.</summary>
internal sealed class WaypointStage
{
    private readonly SortedDictionary<string, WaypointState> _states = new(StringComparer.Ordinal);
    private DestinationRules? _rules;

    public ImmutableDictionary<string, WaypointConfiguration> Configurations { get; private set; } = ImmutableDictionary.Create<string, WaypointConfiguration>(StringComparer.Ordinal);

    /// <summary>What is wrong with documents, found on the way; some of it several times.</summary>
    public IReadOnlyList<Problem> Problems { get; private set; } = [];

    /// <summary>Returns the names that changed, for waypoints that have any.</summary>
    public IReadOnlyDictionary<string, WaypointChanges> Update(WaypointInput input, WorkloadStage workloads, WaypointDelta delta)
    {
        if (_rules is null || delta.Everything || delta.RulesChanged)
            _rules = new DestinationRules(input.Resources, input.Settings);
        var changes = new SortedDictionary<string, WaypointChanges>(StringComparer.Ordinal);
        var builder = Configurations.ToBuilder();
        if (delta.Everything)
            Renew(input, builder, changes);
        foreach (var (id, state) in _states)
        {
            if (state.Update(input, workloads, _rules, delta) is not { } changed)
                continue;
            changes[id] = changed;
            builder[id] = state.Configuration;
        }
        Configurations = builder.ToImmutable();
        if (delta.ConcernsServices || delta.ConcernsPolicies)
            Problems = [.. _states.Values.SelectMany(s => s.Problems)];
        return changes;
    }

    private void Renew(WaypointInput input, ImmutableDictionary<string, WaypointConfiguration>.Builder builder, SortedDictionary<string, WaypointChanges> changes)
    {
        var wanted = input.Waypoints.All.ToDictionary(w => w.Id, StringComparer.Ordinal);
        foreach (var id in _states.Keys.Where(k => !wanted.ContainsKey(k)).ToList())
        {
            var gone = _states[id].Configuration;
            changes[id] = new WaypointChanges([.. gone.Services.Keys], [.. gone.Clusters.Keys], [.. gone.Policies.Keys]);
            _states.Remove(id);
            builder.Remove(id);
        }
        foreach (var (id, waypoint) in wanted)
        {
            _states[id] = new WaypointState(waypoint, _states.GetValueOrDefault(id)?.Configuration);
            builder[id] = _states[id].Configuration;
        }
    }
}
