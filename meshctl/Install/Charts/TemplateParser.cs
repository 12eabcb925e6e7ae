using System.Globalization;
using System.Text.RegularExpressions;

namespace Mesh.Meshctl.Install.Charts;

/// <summary>From a template's text to its nodes; definitions are collected on the way.</summary>
internal sealed class TemplateParser(string file, Dictionary<string, IReadOnlyList<TemplateNode>> definitions)
{
    private List<TemplateToken> _tokens = [];
    private int _next;

    public IReadOnlyList<TemplateNode> Parse(string text)
    {
        _tokens = TemplateLexer.Split(file, text);
        _next = 0;
        var nodes = Block(out var end);
        return end is null ? nodes : throw Wrong(_tokens[_next - 1].Line, $"{{{{ {end} }}}} closes nothing");
    }

    /// <summary>Nodes up to the end of the text, or to the action that ends the block.</summary>
    private List<TemplateNode> Block(out string? end)
    {
        List<TemplateNode> nodes = [];
        while (_next < _tokens.Count)
        {
            var token = _tokens[_next++];
            if (!token.IsAction)
            {
                nodes.Add(new TemplateNode.Text(token.Line, token.Text));
                continue;
            }

            var words = TemplateLexer.Words(token.Text);
            if (words.Count == 0)
                throw Wrong(token.Line, "an action is empty");
            switch (words[0])
            {
                case "end" or "else":
                    end = token.Text;
                    return nodes;
                case "if":
                    nodes.Add(If(token.Line, words[1..]));
                    break;
                case "with":
                    var value = PipelineOf(token.Line, words[1..]);
                    var (then, otherwise) = Branches(token.Line);
                    nodes.Add(new TemplateNode.With(token.Line, value, then, otherwise));
                    break;
                case "range":
                    nodes.Add(Range(token.Line, words[1..]));
                    break;
                case "define":
                    Define(token.Line, words);
                    break;
                default:
                    nodes.Add(new TemplateNode.Output(token.Line, PipelineOf(token.Line, words)));
                    break;
            }
        }

        end = null;
        return nodes;
    }

    private TemplateNode.If If(int line, List<string> condition)
    {
        var pipeline = PipelineOf(line, condition);
        var (then, otherwise) = Branches(line);
        return new TemplateNode.If(line, pipeline, then, otherwise);
    }

    private (IReadOnlyList<TemplateNode> Then, IReadOnlyList<TemplateNode> Else) Branches(int line)
    {
        var then = Block(out var end);
        if (end is null)
            throw Wrong(line, "a block is never closed with {{ end }}");
        if (end == "end")
            return (then, []);
        var words = TemplateLexer.Words(end);
        if (words is ["else", "if", ..])
            return (then, [If(line, words[2..])]);
        var otherwise = Block(out var last);
        return last == "end" ? (then, otherwise) : throw Wrong(line, "a block is never closed with {{ end }}");
    }

    private TemplateNode.Range Range(int line, List<string> words)
    {
        string? key = null, value = null;
        var assigned = words.IndexOf(":=");
        if (assigned > 0)
        {
            var names = words[..assigned].Where(w => w != ",").Select(w => w.StartsWith('$') ? w[1..] : throw Wrong(line, $"'{w}' is not a variable")).ToList();
            value = names[^1];
            key = names.Count > 1 ? names[0] : null;
            words = words[(assigned + 1)..];
        }

        var over = PipelineOf(line, words);
        var (body, otherwise) = Branches(line);
        return new TemplateNode.Range(line, key, value, over, body, otherwise);
    }

    private void Define(int line, List<string> words)
    {
        if (words.Count != 2 || Literal(words[1]) is not string name)
            throw Wrong(line, "define needs a name in quotes");
        var body = Block(out var end);
        if (end != "end")
            throw Wrong(line, $"the definition of {name} is never closed with {{{{ end }}}}");
        definitions[name] = body;
    }

    private Pipeline PipelineOf(int line, List<string> words)
    {
        var position = 0;
        var pipeline = PipelineAt(line, words, ref position);
        return position == words.Count ? pipeline : throw Wrong(line, $"'{words[position]}' is not expected here");
    }

    private Pipeline PipelineAt(int line, List<string> words, ref int position)
    {
        List<Command> commands = [];
        List<Operand> operands = [];
        while (position < words.Count && words[position] != ")")
        {
            var word = words[position++];
            if (word == "|")
            {
                commands.Add(CommandOf(line, operands));
                operands = [];
            }
            else if (word == "(")
            {
                operands.Add(new Operand.Nested(PipelineAt(line, words, ref position)));
                if (position == words.Count)
                    throw Wrong(line, "a parenthesis is never closed");
                position++;
            }
            else
            {
                operands.Add(OperandOf(line, word));
            }
        }

        commands.Add(CommandOf(line, operands));
        return new Pipeline(commands);
    }

    private Command CommandOf(int line, List<Operand> operands) => operands.Count > 0 ? new Command(operands) : throw Wrong(line, "a pipeline has an empty part");

    private Operand OperandOf(int line, string word)
    {
        if (Literal(word) is { } literal)
            return new Operand.Literal(literal);
        if (word[0] == '.')
            return new Operand.Field(Path(word[1..]));
        if (word[0] == '$')
        {
            var dot = word.IndexOf('.', StringComparison.Ordinal);
            return dot < 0 ? new Operand.Variable(word[1..], []) : new Operand.Variable(word[1..dot], Path(word[(dot + 1)..]));
        }

        return TemplateFunctions.Knows(word) ? new Operand.Function(word) : throw Wrong(line, $"'{word}' is no function that charts of the mesh may use ({TemplateFunctions.Names})");
    }

    private static string[] Path(string text) => text.Split('.', StringSplitOptions.RemoveEmptyEntries);

    private static object? Literal(string word) => word switch
    {
        "true" => true,
        "false" => false,
        ['"', .., '"'] => Regex.Unescape(word[1..^1]),
        ['`', .., '`'] => word[1..^1],
        _ => long.TryParse(word, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number : null,
    };

    private ChartException Wrong(int line, string reason) => new($"{file}:{line}: {reason}");
}
