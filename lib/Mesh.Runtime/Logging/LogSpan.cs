namespace Mesh.Runtime.Logging;

/// <summary>Where a line comes from beside its target: text shows <c>:name{key=value}</c>, JSON a nested object. Immutable; spans nest.</summary>
public sealed class LogSpan
{
    public LogSpan(string name, params IReadOnlyList<(string Key, object Value)> fields)
        : this(null, name, fields)
    {
    }

    private LogSpan(LogSpan? parent, string name, IReadOnlyList<(string Key, object Value)> fields)
    {
        Parent = parent;
        Name = name;
        Fields = fields;
    }

    public LogSpan? Parent { get; }

    public string Name { get; }

    public IReadOnlyList<(string Key, object Value)> Fields { get; }

    public LogSpan Inside(string name, params IReadOnlyList<(string Key, object Value)> fields) => new(this, name, fields);
}
