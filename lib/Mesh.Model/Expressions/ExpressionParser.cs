using System.Globalization;
using System.Text;

namespace Mesh.Model.Expressions;

/// <summary>Recursive descent over the text; types are checked on the way.</summary>
internal sealed class ExpressionParser(string text)
{
    private const int LongestText = 4096;
    private const int DeepestNesting = 50;
    private static readonly string[] Comparisons = ["==", "!=", "<=", ">=", "<", ">"];
    private int _at;
    private int _depth;

    public Expression Parse()
    {
        if (text.Length > LongestText)
            throw Fault($"longer than {LongestText} characters");
        var root = Choice();
        Space();
        return _at == text.Length ? new Expression(text, root) : throw Fault("what stands here is not understood");
    }

    private ExpressionNode Choice()
    {
        if (++_depth > DeepestNesting)
            throw Fault("nested too deeply");
        var condition = Or();
        if (Take("?"))
        {
            Expect(condition, ExpressionType.Flag, "before ?");
            var yes = Choice();
            Must(":");
            var no = Choice();
            Expect(no, yes.Type, "after :");
            condition = new ChoiceNode(condition, yes, no);
        }

        _depth--;
        return condition;
    }

    private ExpressionNode Or()
    {
        var left = And();
        while (Take("||"))
            left = Logic(left, And(), isAnd: false);
        return left;
    }

    private ExpressionNode And()
    {
        var left = Relation();
        while (Take("&&"))
            left = Logic(left, Relation(), isAnd: true);
        return left;
    }

    private LogicNode Logic(ExpressionNode left, ExpressionNode right, bool isAnd)
    {
        Expect(left, ExpressionType.Flag, "before the operator");
        Expect(right, ExpressionType.Flag, "after the operator");
        return new LogicNode(left, right, isAnd);
    }

    private ExpressionNode Relation()
    {
        var left = Unary();
        foreach (var op in Comparisons)
        {
            if (!Take(op))
                continue;
            var right = Unary();
            Expect(right, left.Type, $"after {op}");
            return new CompareNode(left, op, right);
        }

        return TakeWord("in") ? In(left) : left;
    }

    private ExpressionNode In(ExpressionNode left)
    {
        if (!Take("["))
        {
            // 'x' in request.headers
            var map = Path();
            return left is ConstantNode { Type: ExpressionType.Text } key && ExpressionAttributes.IsMap(map)
                ? new HasNode(Header(map, key.Evaluate(null!).Text!))
                : throw Fault("after \"in\" a list or a map of headers is needed");
        }

        var items = new List<ExpressionNode>();
        do
        {
            items.Add(Unary());
            Expect(items[^1], left.Type, "in the list");
        }
        while (Take(","));
        Must("]");
        return new InNode(left, items);
    }

    private ExpressionNode Unary()
    {
        if (!Next("!=") && Take("!"))
        {
            if (++_depth > DeepestNesting)
                throw Fault("nested too deeply");
            var inner = Unary();
            _depth--;
            Expect(inner, ExpressionType.Flag, "after !");
            return new NotNode(inner);
        }

        return Primary();
    }

    private ExpressionNode Primary()
    {
        Space();
        if (Take("("))
        {
            var inner = Choice();
            Must(")");
            return Tests(inner);
        }

        if (_at < text.Length && text[_at] is '\'' or '"')
            return Tests(new ConstantNode(ExpressionValue.Of(Quoted())));
        if (_at < text.Length && (char.IsAsciiDigit(text[_at]) || text[_at] == '-'))
            return new ConstantNode(ExpressionValue.Of(Number()));
        var path = Path();
        return path switch
        {
            "true" => new ConstantNode(ExpressionValue.Of(true)),
            "false" => new ConstantNode(ExpressionValue.Of(false)),
            "has" => Has(),
            _ => Tests(Attribute(path)),
        };
    }

    private HasNode Has()
    {
        Must("(");
        var attribute = Attribute(Path());
        Must(")");
        return new HasNode(attribute);
    }

    private AttributeNode Attribute(string path)
    {
        if (ExpressionAttributes.IsMap(path))
        {
            if (Take("["))
            {
                Space();
                var key = Quoted();
                Must("]");
                return Header(path, key);
            }

            Must(".");
            return Header(path, Word());
        }

        return ExpressionAttributes.TypeOf(path) is { } type
            ? new AttributeNode(path, null, type)
            : throw Fault($"\"{path}\" is not an attribute that is known here (known: {string.Join(", ", ExpressionAttributes.Names)})");
    }

    private static AttributeNode Header(string map, string key) => new(map, key.ToLowerInvariant(), ExpressionType.Text);

    private ExpressionNode Tests(ExpressionNode node)
    {
        while (Take("."))
        {
            var function = Word();
            if (function is not ("startsWith" or "endsWith" or "contains"))
                throw Fault($"\"{function}\" is not a function that is known here (known: startsWith, endsWith, contains)");
            Expect(node, ExpressionType.Text, $"before .{function}");
            Must("(");
            var argument = Unary();
            Expect(argument, ExpressionType.Text, $"of {function}");
            Must(")");
            node = new TextTestNode(node, function, argument);
        }

        return node;
    }

    /// <summary>Names joined by dots, up to what is a whole attribute or map.</summary>
    private string Path()
    {
        var path = Word();
        while (_at < text.Length && text[_at] == '.' && ExpressionAttributes.TypeOf(path) is null && !ExpressionAttributes.IsMap(path))
        {
            _at++;
            path += "." + Word();
        }

        return path;
    }

    private string Word()
    {
        Space();
        var start = _at;
        while (_at < text.Length && (char.IsAsciiLetterOrDigit(text[_at]) || text[_at] == '_'))
            _at++;
        return _at > start ? text[start.._at] : throw Fault(start == text.Length ? "something is missing at the end" : "a name or a value is needed");
    }

    private string Quoted()
    {
        var quote = _at < text.Length && text[_at] is '\'' or '"' ? text[_at++] : throw Fault("a text in quotes is needed");
        var result = new StringBuilder();
        while (_at < text.Length && text[_at] != quote)
        {
            var c = text[_at++];
            if (c == '\\')
            {
                c = _at < text.Length ? text[_at++] : '\0';
                c = c switch
                {
                    'n' => '\n',
                    't' => '\t',
                    '\\' or '\'' or '"' => c,
                    _ => throw Fault("this escape is not known here"),
                };
            }

            result.Append(c);
        }

        if (_at == text.Length)
            throw Fault("the text has no end");
        _at++;
        return result.ToString();
    }

    private long Number()
    {
        var start = _at++;
        while (_at < text.Length && (char.IsAsciiLetterOrDigit(text[_at]) || text[_at] == '.'))
            _at++;
        return long.TryParse(text.AsSpan(start, _at - start), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
            ? number
            : throw Fault($"\"{text[start.._at]}\" is not a whole number");
    }

    private void Space()
    {
        while (_at < text.Length && char.IsWhiteSpace(text[_at]))
            _at++;
    }

    private bool Next(string token)
    {
        Space();
        return text.AsSpan(_at).StartsWith(token, StringComparison.Ordinal);
    }

    private bool Take(string token)
    {
        if (!Next(token))
            return false;
        _at += token.Length;
        return true;
    }

    private bool TakeWord(string word)
    {
        if (!Next(word) || (_at + word.Length < text.Length && (char.IsAsciiLetterOrDigit(text[_at + word.Length]) || text[_at + word.Length] == '_')))
            return false;
        _at += word.Length;
        return true;
    }

    private void Must(string token)
    {
        if (!Take(token))
            throw Fault($"\"{token}\" is needed");
    }

    private void Expect(ExpressionNode node, ExpressionType type, string where)
    {
        if (node.Type != type)
            throw Fault($"a {type.ToString().ToLowerInvariant()} is needed {where}, and this is a {node.Type.ToString().ToLowerInvariant()}");
    }

    private ExpressionException Fault(string reason) => new($"the expression \"{(text.Length > 200 ? text[..200] + "..." : text)}\", at character {_at + 1}: {reason}");
}
