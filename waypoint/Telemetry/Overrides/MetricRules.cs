using Mesh.Model.Expressions;
using Mesh.Runtime.Metrics;

namespace Mesh.Waypoint.Telemetry.Overrides;

/// <summary>What Telemetry resources change of one service's <c>istio_*</c> metrics, compiled.</summary>
internal sealed class MetricRules
{
    private readonly Dictionary<string, MetricRule> _byFamily = new(StringComparer.Ordinal);

    /// <exception cref="ConfigurationException">A value that is no expression of those known here.</exception>
    public MetricRules(IEnumerable<V1.MetricOverride> overrides)
    {
        foreach (var one in overrides)
            _byFamily[one.Family] = new MetricRule(one);
    }

    /// <summary>Null: the family is as it always is.</summary>
    public MetricRule? Of(string family) => _byFamily.GetValueOrDefault(family);
}

/// <summary>What is changed of one family.</summary>
internal sealed class MetricRule
{
    private readonly Dictionary<string, Expression?> _tags = new(StringComparer.Ordinal);

    public MetricRule(V1.MetricOverride source)
    {
        IsDisabled = source.Disabled;
        foreach (var tag in source.Tags)
        {
            try
            {
                _tags[tag.Name] = tag.Remove ? null : Expression.Parse(tag.Value);
            }
            catch (ExpressionException e)
            {
                throw new ConfigurationException($"metric tag {tag.Name}: {e.Message}");
            }
        }
    }

    public bool IsDisabled { get; }

    /// <param name="attributes">Null: there are too many different values already; all become one.</param>
    public LabelSet Labels(IReadOnlyList<string> names, IReadOnlyList<string> values, IAttributeSource? attributes)
    {
        var labels = new List<(string Name, string Value)>(names.Count + _tags.Count);
        for (var i = 0; i < names.Count; i++)
        {
            if (!_tags.TryGetValue(names[i], out var tag))
                labels.Add((names[i], values[i]));
            else if (tag is not null)
                labels.Add((names[i], Value(tag, attributes)));
        }

        foreach (var (name, tag) in _tags)
        {
            if (tag is not null && !names.Contains(name))
                labels.Add((name, Value(tag, attributes)));
        }

        return LabelSet.Of([.. labels]);
    }

    private static string Value(Expression tag, IAttributeSource? attributes) =>
        attributes is null ? "overflow" : tag.Evaluate(attributes).AsLabel() ?? "unknown";
}
