using System.Text;
using System.Text.Json.Nodes;

namespace Mesh.Meshctl.Install.Charts;

/// <summary>Runs parsed templates over values. A value is a <see cref="JsonNode"/>, a string, a number, a boolean or null.</summary>
/// <param name="root"><c>Values</c>, <c>Release</c> and <c>Chart</c>.</param>
internal sealed class TemplateEvaluator(JsonObject root, IReadOnlyDictionary<string, IReadOnlyList<TemplateNode>> definitions)
{
    public string Run(string file, IReadOnlyList<TemplateNode> nodes)
    {
        var output = new StringBuilder();
        new Frame(this, file, Root, []).Write(nodes, output);
        return output.ToString();
    }

    private string Include(string file, string name, object? dot)
    {
        if (!definitions.TryGetValue(name, out var body))
            throw new ChartException($"{file}: include names \"{name}\", which no template defines");
        var output = new StringBuilder();
        new Frame(this, file, dot, []).Write(body, output);
        return output.ToString();
    }

    /// <summary>What the dot is, and the variables that are visible.</summary>
    private sealed class Frame(TemplateEvaluator owner, string file, object? dot, Dictionary<string, object?> variables)
    {
        public void Write(IReadOnlyList<TemplateNode> nodes, StringBuilder output)
        {
            foreach (var node in nodes)
            {
                switch (node)
                {
                    case TemplateNode.Text text:
                        output.Append(text.Value);
                        break;
                    case TemplateNode.Output print:
                        output.Append(TemplateFunctions.Text(Value(print.Pipeline, print.Line)));
                        break;
                    case TemplateNode.If condition:
                        Write(TemplateFunctions.IsTrue(Value(condition.Condition, condition.Line)) ? condition.Then : condition.Else, output);
                        break;
                    case TemplateNode.With with:
                        var value = Value(with.Value, with.Line);
                        if (TemplateFunctions.IsTrue(value))
                            new Frame(owner, file, value, variables).Write(with.Then, output);
                        else
                            Write(with.Else, output);
                        break;
                    case TemplateNode.Range range:
                        Write(range, output);
                        break;
                }
            }
        }

        private void Write(TemplateNode.Range range, StringBuilder output)
        {
            var over = Value(range.Over, range.Line);
            List<(object Key, object? Value)> entries = over switch
            {
                null => [],
                JsonArray list => [.. list.Select((item, i) => ((object)(long)i, (object?)item))],
                JsonObject map => [.. map.OrderBy(e => e.Key, StringComparer.Ordinal).Select(e => ((object)e.Key, (object?)e.Value))],
                _ => throw Wrong(range.Line, "range needs a list or a map"),
            };
            if (entries.Count == 0)
                Write(range.Else, output);
            foreach (var (key, value) in entries)
            {
                var visible = new Dictionary<string, object?>(variables);
                if (range.KeyVariable is { } keyName)
                    visible[keyName] = key;
                if (range.ValueVariable is { } valueName)
                    visible[valueName] = value;
                new Frame(owner, file, value, visible).Write(range.Body, output);
            }
        }

        private object? Value(Pipeline pipeline, int line)
        {
            object? piped = null;
            for (var i = 0; i < pipeline.Commands.Count; i++)
            {
                var words = pipeline.Commands[i].Words;
                var arguments = words.Skip(1).Select(w => Value(w, line)).ToList();
                if (i > 0)
                    arguments.Add(piped);
                piped = words[0] switch
                {
                    Operand.Function { Name: "include" } => arguments is [{ } name, var given] ? owner.Include(file, TemplateFunctions.Text(name), given) : throw Wrong(line, "include needs a name and a value"),
                    Operand.Function function => TemplateFunctions.Call(function.Name, arguments) ?? throw Wrong(line, $"{function.Name} cannot take {arguments.Count} such arguments"),
                    var operand when arguments.Count == 0 => Value(operand, line),
                    _ => throw Wrong(line, "only a function takes arguments"),
                };
                // A function's null is told apart from "cannot" by a marker of its own.
                if (ReferenceEquals(piped, TemplateFunctions.Nothing))
                    piped = null;
            }

            return piped;
        }

        private object? Value(Operand operand, int line) => operand switch
        {
            Operand.Literal literal => literal.Value,
            Operand.Nested nested => Value(nested.Pipeline, line),
            Operand.Field field => Walk(dot, field.Path, line),
            Operand.Variable { Name: "" } variable => Walk(owner.Root, variable.Path, line),
            Operand.Variable variable => variables.TryGetValue(variable.Name, out var value) ? Walk(value, variable.Path, line) : throw Wrong(line, $"there is no variable ${variable.Name} here"),
            Operand.Function function => TemplateFunctions.Call(function.Name, []) ?? throw Wrong(line, $"{function.Name} needs arguments"),
            _ => throw Wrong(line, operand.ToString()),
        };

        /// <summary>A missing last step is nothing; a missing step before it is a mistake, as in Helm.</summary>
        private object? Walk(object? value, IReadOnlyList<string> path, int line)
        {
            for (var i = 0; i < path.Count; i++)
            {
                if (value is not JsonObject map)
                    throw Wrong(line, $".{string.Join('.', path)} has no part '{path[i]}': there is no map above it");
                value = map[path[i]];
            }

            return value;
        }

        private ChartException Wrong(int line, string reason) => new($"{file}:{line}: {reason}");
    }

    private JsonObject Root { get; } = root;
}
