using System.Collections.Concurrent;
using Mesh.Model.Expressions;
using Mesh.Runtime.Metrics;

namespace Mesh.Waypoint.Telemetry.Overrides;

/// <summary>The series of one request or connection to a service whose metrics are overridden.</summary>
/// <param name="known">Label sets that were made so; what clients write must not make more and more of them.</param>
internal readonly struct AdjustedLabels(MetricRules rules, IReadOnlyList<string> names, IReadOnlyList<string> values, IAttributeSource attributes, ConcurrentDictionary<LabelSet, bool> known)
{
    /// <summary>Beyond this, values of overridden tags become one.</summary>
    public const int Most = 10_000;

    /// <returns>Null: the family is switched off.</returns>
    public TSeries? Of<TSeries>(MetricFamily<TSeries> family)
        where TSeries : class
    {
        var rule = rules.Of(family.Name);
        if (rule is null)
            return family.With(LabelSet.Of(names, [.. values]));
        if (rule.IsDisabled)
            return null;
        var labels = rule.Labels(names, values, attributes);
        if (!known.ContainsKey(labels))
        {
            if (known.Count >= Most)
                labels = rule.Labels(names, values, null);
            else
                known.TryAdd(labels, true);
        }

        return family.With(labels);
    }
}
