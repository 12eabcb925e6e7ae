using System.Text.RegularExpressions;

namespace Mesh.Waypoint.Routing;

/// <summary>
/// Regular expressions of users are RE2. The non-backtracking engine of .NET has the property that matters (time linear in the input, so a
/// request cannot stall a core) and the same syntax but for named groups.
/// </summary>
internal static class Re2
{
    private const RegexOptions Options = RegexOptions.NonBacktracking | RegexOptions.CultureInvariant;

    /// <summary>The whole string must match, as in Envoy.</summary>
    /// <exception cref="ConfigurationException">The pattern is not valid or needs what RE2 does not have either (look-around, back-references).</exception>
    public static Regex CompileFullMatch(string pattern) => Create($@"\A(?:{Translate(pattern)})\z", pattern);

    public static Regex Compile(string pattern) => Create(Translate(pattern), pattern);

    /// <summary>RE2 writes groups in a replacement as \1, .NET as $1; a literal $ has to be doubled.</summary>
    public static string TranslateReplacement(string replacement)
    {
        var result = new System.Text.StringBuilder(replacement.Length + 8);
        for (var i = 0; i < replacement.Length; i++)
        {
            var c = replacement[i];
            if (c == '\\' && i + 1 < replacement.Length && char.IsAsciiDigit(replacement[i + 1]))
                result.Append("${").Append(replacement[++i]).Append('}');
            else if (c == '\\' && i + 1 < replacement.Length && replacement[i + 1] == '\\')
                result.Append(replacement[++i]);
            else if (c == '$')
                result.Append("$$");
            else
                result.Append(c);
        }

        return result.ToString();
    }

    private static string Translate(string pattern) => pattern.Replace("(?P<", "(?<", StringComparison.Ordinal);

    private static Regex Create(string translated, string original)
    {
        try
        {
            return new Regex(translated, Options);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            throw new ConfigurationException($"the regular expression \"{original}\" cannot be used: {e.Message}");
        }
    }
}
