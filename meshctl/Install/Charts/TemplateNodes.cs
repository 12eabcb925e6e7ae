namespace Mesh.Meshctl.Install.Charts;

/// <summary>A parsed template: the part of Go's template language that the mesh's chart uses. Whatever else stands in a chart is refused by name.</summary>
internal abstract record TemplateNode(int Line)
{
    public sealed record Text(int Line, string Value) : TemplateNode(Line);

    public sealed record Output(int Line, Pipeline Pipeline) : TemplateNode(Line);

    /// <summary><c>{{ if }}</c> with its <c>{{ else if }}</c> and <c>{{ else }}</c> as one more node list.</summary>
    public sealed record If(int Line, Pipeline Condition, IReadOnlyList<TemplateNode> Then, IReadOnlyList<TemplateNode> Else) : TemplateNode(Line);

    /// <summary>The dot becomes the value where that is not empty.</summary>
    public sealed record With(int Line, Pipeline Value, IReadOnlyList<TemplateNode> Then, IReadOnlyList<TemplateNode> Else) : TemplateNode(Line);

    /// <summary>Over a list, or over a map in the order of its keys.</summary>
    public sealed record Range(int Line, string? KeyVariable, string? ValueVariable, Pipeline Over, IReadOnlyList<TemplateNode> Body, IReadOnlyList<TemplateNode> Else) : TemplateNode(Line);
}

/// <summary>Commands from left to right; the value of each is the last argument of the next.</summary>
internal sealed record Pipeline(IReadOnlyList<Command> Commands);

/// <summary>A function with arguments, or one operand alone.</summary>
internal sealed record Command(IReadOnlyList<Operand> Words);

internal abstract record Operand
{
    /// <summary><c>.Values.image.tag</c>; an empty path is the dot itself.</summary>
    public sealed record Field(IReadOnlyList<string> Path) : Operand;

    /// <summary><c>$name.path</c>; the name <c>""</c> is <c>$</c>, the root.</summary>
    public sealed record Variable(string Name, IReadOnlyList<string> Path) : Operand;

    public sealed record Literal(object Value) : Operand;

    public sealed record Function(string Name) : Operand;

    public sealed record Nested(Pipeline Pipeline) : Operand;
}

/// <summary>The chart, or the values for it, are wrong. The message names file and line.</summary>
internal sealed class ChartException(string message) : Exception(message);
