using System.Text.RegularExpressions;

namespace Mesh.Waypoint.Routing;

/// <summary>Changes the authority and the path on the way to the application; the query stays (reference 1.6).</summary>
internal sealed class RewriteRule
{
    private readonly string? _full;
    private readonly string? _prefix;
    private readonly Regex? _regex;
    private readonly string? _replacement;

    private RewriteRule(V1.Rewrite rewrite)
    {
        Authority = rewrite.Authority.Length == 0 ? null : rewrite.Authority;
        switch (rewrite.PathCase)
        {
            case V1.Rewrite.PathOneofCase.Full:
                _full = rewrite.Full;
                break;
            case V1.Rewrite.PathOneofCase.Prefix:
                _prefix = rewrite.Prefix;
                break;
            case V1.Rewrite.PathOneofCase.Regex:
                _regex = Re2.Compile(rewrite.Regex.Match);
                _replacement = Re2.TranslateReplacement(rewrite.Regex.Rewrite);
                break;
        }
    }

    public string? Authority { get; }

    /// <summary>Then the application is told the original path, changed or not.</summary>
    public bool ChangesPath => _full is not null || _prefix is not null || _regex is not null;

    public static RewriteRule? Compile(V1.Rewrite? rewrite) => rewrite is null ? null : new RewriteRule(rewrite);

    public string Path(string path, RouteMatcher match)
    {
        if (_full is not null)
            return _full.Length == 0 ? "/" : _full;
        if (_regex is not null)
            return _regex.Replace(path, _replacement!);
        return _prefix is null ? path : ReplacePrefix(path, match, _prefix);
    }

    /// <summary>
    /// Gateway API prefixes are segments: <c>/foo</c> to <c>/xyz/</c> turns <c>/foo/bar</c> into <c>/xyz/bar</c>, and an empty result into <c>/</c>.
    /// A VirtualService replaces the characters that matched, or the whole path where the match was not by prefix.
    /// </summary>
    public static string ReplacePrefix(string path, RouteMatcher match, string replacement)
    {
        var rest = path.AsSpan(match.MatchedPrefixLength(path));
        if (!match.IsSegmentPrefix)
            return string.Concat(replacement, rest);
        var result = string.Concat(replacement.AsSpan().TrimEnd('/'), rest);
        return result.Length == 0 ? "/" : result;
    }
}
