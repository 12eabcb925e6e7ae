namespace Mesh.Runtime.Metrics;

/// <summary>Names of values as labels of metrics write them: ClockSkew is clock_skew.</summary>
public static class SnakeCase
{
    public static string Of<T>(T value)
        where T : struct, Enum => string.Concat(value.ToString().Select((c, i) => i > 0 && char.IsUpper(c) ? $"_{char.ToLowerInvariant(c)}" : $"{char.ToLowerInvariant(c)}"));
}
