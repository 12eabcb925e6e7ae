using System.Text;

namespace Mesh.Meshctl.Install.Charts;

/// <summary>Text between actions, or the inside of one <c>{{ action }}</c>.</summary>
internal readonly record struct TemplateToken(bool IsAction, string Text, int Line);

/// <summary>Splits a template at its actions. <c>{{-</c> and <c>-}}</c> take the white space beside them, comments vanish.</summary>
internal static class TemplateLexer
{
    private static readonly char[] White = [' ', '\t', '\r', '\n'];

    public static List<TemplateToken> Split(string file, string text)
    {
        List<TemplateToken> tokens = [];
        var position = 0;
        var trimNext = false;
        while (position < text.Length)
        {
            var open = text.IndexOf("{{", position, StringComparison.Ordinal);
            var between = open < 0 ? text[position..] : text[position..open];
            var trimEnd = open >= 0 && text.AsSpan(open).StartsWith("{{- ");
            var line = LineOf(text, position);
            if (trimNext)
                between = between.TrimStart(White);
            if (trimEnd)
                between = between.TrimEnd(White);
            if (between.Length > 0)
                tokens.Add(new TemplateToken(false, between, line));
            if (open < 0)
                return tokens;

            var close = text.IndexOf("}}", open, StringComparison.Ordinal);
            if (close < 0)
                throw new ChartException($"{file}:{LineOf(text, open)}: an action is opened with {{{{ and never closed");
            var inside = text[(open + 2)..close];
            trimNext = inside.EndsWith(" -", StringComparison.Ordinal);
            var action = inside[(trimEnd ? 1 : 0)..^(trimNext ? 1 : 0)].Trim(White);
            if (!action.StartsWith("/*", StringComparison.Ordinal))
                tokens.Add(new TemplateToken(true, action, LineOf(text, open)));
            position = close + 2;
        }

        return tokens;
    }

    /// <summary>The words of an action: quoted strings and parentheses are kept, the pipe and <c>:=</c> are words of their own.</summary>
    public static List<string> Words(string action)
    {
        List<string> words = [];
        for (var i = 0; i < action.Length;)
        {
            var c = action[i];
            if (White.Contains(c))
            {
                i++;
            }
            else if (c is '"' or '`')
            {
                var end = EndOfString(action, i);
                words.Add(action[i..end]);
                i = end;
            }
            else if (c is '|' or '(' or ')' or ',')
            {
                words.Add(c.ToString());
                i++;
            }
            else
            {
                var word = new StringBuilder();
                while (i < action.Length && !White.Contains(action[i]) && action[i] is not ('|' or '(' or ')' or ',' or '"'))
                    word.Append(action[i++]);
                words.Add(word.ToString());
            }
        }

        return words;
    }

    private static int EndOfString(string action, int start)
    {
        var quote = action[start];
        var i = start + 1;
        while (i < action.Length && action[i] != quote)
            i += action[i] == '\\' && quote == '"' ? 2 : 1;
        return Math.Min(i + 1, action.Length);
    }

    private static int LineOf(string text, int position) => text.AsSpan(0, position).Count('\n') + 1;
}
