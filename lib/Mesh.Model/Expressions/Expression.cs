namespace Mesh.Model.Expressions;

/// <summary>The text is not an expression of the part of CEL that is known here; the message says where and why.</summary>
public sealed class ExpressionException(string message) : Exception(message);

/// <summary>
/// The part of CEL that Telemetry resources use: attributes, texts, whole numbers, <c>== != &lt; &lt;= &gt; &gt;=</c>, <c>&amp;&amp; || !</c>,
/// <c>? :</c>, <c>in</c>, <c>has()</c>, <c>startsWith</c>, <c>endsWith</c>, <c>contains</c>. Immutable; evaluating does not fail.
/// </summary>
public sealed class Expression
{
    private readonly ExpressionNode _root;

    internal Expression(string source, ExpressionNode root)
    {
        Source = source;
        _root = root;
    }

    public string Source { get; }

    public ExpressionType Type => _root.Type;

    /// <exception cref="ExpressionException">It cannot be read, or compares what cannot be compared.</exception>
    public static Expression Parse(string text) => new ExpressionParser(text).Parse();

    public ExpressionValue Evaluate(IAttributeSource attributes) => _root.Evaluate(attributes);

    /// <summary>False also where an attribute is missing that decides.</summary>
    public bool Holds(IAttributeSource attributes) => _root.Evaluate(attributes).IsTrue;

    public override string ToString() => Source;
}

internal abstract class ExpressionNode(ExpressionType type)
{
    public ExpressionType Type { get; } = type;

    public abstract ExpressionValue Evaluate(IAttributeSource attributes);
}

internal sealed class ConstantNode(ExpressionValue value) : ExpressionNode(value.Type)
{
    public override ExpressionValue Evaluate(IAttributeSource attributes) => value;
}

internal sealed class AttributeNode(string name, string? key, ExpressionType type) : ExpressionNode(type)
{
    public override ExpressionValue Evaluate(IAttributeSource attributes) => attributes.Get(name, key);
}

internal sealed class HasNode(AttributeNode attribute) : ExpressionNode(ExpressionType.Flag)
{
    public override ExpressionValue Evaluate(IAttributeSource attributes) => ExpressionValue.Of(attribute.Evaluate(attributes).Type != ExpressionType.Missing);
}

internal sealed class NotNode(ExpressionNode inner) : ExpressionNode(ExpressionType.Flag)
{
    public override ExpressionValue Evaluate(IAttributeSource attributes) =>
        inner.Evaluate(attributes) is { Type: ExpressionType.Flag } value ? ExpressionValue.Of(!value.IsTrue) : ExpressionValue.Missing;
}

/// <summary>One side can decide alone, even where the other is missing (CEL, "Logical operators").</summary>
internal sealed class LogicNode(ExpressionNode left, ExpressionNode right, bool isAnd) : ExpressionNode(ExpressionType.Flag)
{
    public override ExpressionValue Evaluate(IAttributeSource attributes)
    {
        var first = left.Evaluate(attributes);
        if (Decides(first))
            return first;
        var second = right.Evaluate(attributes);
        return Decides(second) || first.Type == ExpressionType.Flag ? second : ExpressionValue.Missing;
    }

    private bool Decides(in ExpressionValue value) => isAnd ? value.IsFalse : value.IsTrue;
}

internal sealed class ChoiceNode(ExpressionNode condition, ExpressionNode yes, ExpressionNode no) : ExpressionNode(yes.Type)
{
    public override ExpressionValue Evaluate(IAttributeSource attributes)
    {
        var value = condition.Evaluate(attributes);
        return value.Type != ExpressionType.Flag ? ExpressionValue.Missing : value.IsTrue ? yes.Evaluate(attributes) : no.Evaluate(attributes);
    }
}

internal sealed class CompareNode(ExpressionNode left, string op, ExpressionNode right) : ExpressionNode(ExpressionType.Flag)
{
    public override ExpressionValue Evaluate(IAttributeSource attributes)
    {
        var (a, b) = (left.Evaluate(attributes), right.Evaluate(attributes));
        if (a.Type == ExpressionType.Missing || b.Type == ExpressionType.Missing)
            return ExpressionValue.Missing;
        var order = a.Type == ExpressionType.Text ? string.CompareOrdinal(a.Text, b.Text) : a.Number.CompareTo(b.Number);
        return ExpressionValue.Of(op switch
        {
            "==" => order == 0,
            "!=" => order != 0,
            "<" => order < 0,
            "<=" => order <= 0,
            ">" => order > 0,
            _ => order >= 0,
        });
    }
}

internal sealed class InNode(ExpressionNode value, IReadOnlyList<ExpressionNode> list) : ExpressionNode(ExpressionType.Flag)
{
    public override ExpressionValue Evaluate(IAttributeSource attributes)
    {
        var wanted = value.Evaluate(attributes);
        if (wanted.Type == ExpressionType.Missing)
            return wanted;
        foreach (var item in list)
        {
            if (item.Evaluate(attributes) == wanted)
                return ExpressionValue.Of(true);
        }

        return ExpressionValue.Of(false);
    }
}

internal sealed class TextTestNode(ExpressionNode text, string function, ExpressionNode argument) : ExpressionNode(ExpressionType.Flag)
{
    public override ExpressionValue Evaluate(IAttributeSource attributes)
    {
        if (text.Evaluate(attributes).Text is not { } value || argument.Evaluate(attributes).Text is not { } part)
            return ExpressionValue.Missing;
        return ExpressionValue.Of(function switch
        {
            "startsWith" => value.StartsWith(part, StringComparison.Ordinal),
            "endsWith" => value.EndsWith(part, StringComparison.Ordinal),
            _ => value.Contains(part, StringComparison.Ordinal),
        });
    }
}
