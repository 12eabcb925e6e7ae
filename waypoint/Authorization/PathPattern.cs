namespace Mesh.Waypoint.Authorization;

/// <summary>A path of an operation: a <see cref="Pattern"/>, or a template in which <c>{*}</c> is one segment and a last <c>{**}</c> any number of them.</summary>
internal sealed class PathPattern
{
    private const string OneSegment = "{*}";
    private const string ManySegments = "{**}";
    private readonly Pattern _pattern;
    private readonly string[]? _template;

    /// <exception cref="ConfigurationException">A template that mixes operators in a way that has no meaning (reference 3.2).</exception>
    public PathPattern(string text)
    {
        if (!text.Contains('{', StringComparison.Ordinal))
        {
            _pattern = new Pattern(text);
            return;
        }

        _template = text.Split('/');
        var many = Array.IndexOf(_template, ManySegments);
        if (many >= 0 && Array.FindIndex(_template, many + 1, s => s is OneSegment or ManySegments) >= 0)
            throw new ConfigurationException($"path template \"{text}\": {ManySegments} has to be the last operator");
        if (Array.Exists(_template, s => s is not (OneSegment or ManySegments) && s.AsSpan().IndexOfAny("{}*") >= 0))
            throw new ConfigurationException($"path template \"{text}\": {OneSegment} and {ManySegments} have to be whole segments, and \"*\" cannot be mixed with them");
    }

    public bool Matches(string path) => _template is null ? _pattern.Matches(path) : MatchesTemplate(_template, path.Split('/'));

    private static bool MatchesTemplate(string[] template, string[] path)
    {
        var many = Array.IndexOf(template, ManySegments);
        if (many < 0)
            return template.Length == path.Length && MatchesSegments(template, path);
        var tail = template.Length - many - 1;

        // A last {**} needs its slash: /files/{**} holds for /files/ and not for /files (recorded).
        return path.Length >= many + Math.Max(tail, 1)
            && MatchesSegments(template.AsSpan(0, many), path.AsSpan(0, many))
            && MatchesSegments(template.AsSpan(many + 1), path.AsSpan(path.Length - tail));
    }

    private static bool MatchesSegments(ReadOnlySpan<string> template, ReadOnlySpan<string> path)
    {
        for (var i = 0; i < template.Length; i++)
        {
            // {*} stands for one segment that is not empty.
            if (template[i] == OneSegment ? path[i].Length == 0 : template[i] != path[i])
                return false;
        }

        return true;
    }
}
