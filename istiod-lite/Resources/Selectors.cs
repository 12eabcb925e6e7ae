namespace Mesh.IstiodLite.Resources;

internal enum SelectorOperator
{
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

internal sealed record SelectorRequirement(string Key, SelectorOperator Operator, IReadOnlyList<string> Values);

/// <summary>A Kubernetes label selector; empty matches everything.</summary>
internal sealed record LabelSelector(IReadOnlyDictionary<string, string> MatchLabels, IReadOnlyList<SelectorRequirement> Expressions)
{
    public bool Matches(IReadOnlyDictionary<string, string> labels) => Matches(MatchLabels, labels) && Expressions.All(e => Matches(e, labels));

    /// <summary>Every pair must be there. An empty selector matches; callers that mean "selects nothing" must ask first.</summary>
    public static bool Matches(IReadOnlyDictionary<string, string> selector, IReadOnlyDictionary<string, string> labels)
    {
        foreach (var (key, value) in selector)
        {
            if (!labels.TryGetValue(key, out var actual) || !string.Equals(actual, value, StringComparison.Ordinal))
                return false;
        }
        return true;
    }

    public static bool Same(IReadOnlyDictionary<string, string>? a, IReadOnlyDictionary<string, string>? b) =>
        ReferenceEquals(a, b) || (a is not null && b is not null && a.Count == b.Count && Matches(a, b));

    private static bool Matches(SelectorRequirement requirement, IReadOnlyDictionary<string, string> labels)
    {
        var has = labels.TryGetValue(requirement.Key, out var value);
        return requirement.Operator switch
        {
            SelectorOperator.In => has && requirement.Values.Contains(value!, StringComparer.Ordinal),
            SelectorOperator.NotIn => !has || !requirement.Values.Contains(value!, StringComparer.Ordinal),
            SelectorOperator.Exists => has,
            _ => !has,
        };
    }
}
