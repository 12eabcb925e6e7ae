using System.Buffers;
using System.Text;

namespace Mesh.Waypoint.Routing;

/// <summary>How far a path is rewritten before rules see it; the names are those of the mesh config.</summary>
internal enum PathNormalization
{
    /// <summary>Not at all.</summary>
    None,

    /// <summary>Dot segments, backslashes, percent-encoded unreserved characters.</summary>
    Base,

    /// <summary>Base, and several slashes become one.</summary>
    MergeSlashes,

    /// <summary>Encoded slashes and backslashes decoded first, then as before.</summary>
    DecodeAndMergeSlashes,
}

/// <summary>Pure: the path that rules match and that is forwarded (reference 3.6). Returns the same string where nothing changes.</summary>
internal static class PathNormalizer
{
    /// <returns>Null where the path cannot be normalised: the request is answered 400.</returns>
    public static string? Normalize(string path, PathNormalization mode)
    {
        if (mode == PathNormalization.None || path is "*" || IsPlain(path))
            return path;
        if (path.Length == 0 || path[0] is not ('/' or '\\'))
            return null;
        if (path.Contains("%00", StringComparison.Ordinal) || path.Contains('\0', StringComparison.Ordinal))
            return null;
        if (mode == PathNormalization.DecodeAndMergeSlashes)
            path = DecodeSlashes(path);

        path = DecodeUnreserved(path);
        path = RemoveDotSegments(path);
        return mode >= PathNormalization.MergeSlashes ? MergeSlashes(path) : path;
    }

    /// <summary>Percent-encoded by the URL standard when they stand in a path; % and \ are looked at one by one.</summary>
    private const string Escaped = "|^`{}\"<>";

    private static readonly SearchValues<char> Special = SearchValues.Create("%\\" + Escaped);

    // The common path has none of the characters that could change it.
    private static bool IsPlain(string path)
    {
        if (path.Length == 0 || path[0] != '/')
            return false;
        return path.AsSpan().IndexOfAny(Special) < 0
            && !path.Contains("/.", StringComparison.Ordinal)
            && !path.Contains("//", StringComparison.Ordinal)
            && path.AsSpan().IndexOfAnyExceptInRange('!', '~') < 0;
    }

    internal static string DecodeSlashes(string path)
    {
        var result = new StringBuilder(path.Length);
        for (var i = 0; i < path.Length; i++)
        {
            if (path[i] == '%' && i + 2 < path.Length && path[i + 1] == '2' && path[i + 2] is 'F' or 'f')
                result.Append('/');
            else if (path[i] == '%' && i + 2 < path.Length && path[i + 1] == '5' && path[i + 2] is 'C' or 'c')
                result.Append('\\');
            else
            {
                result.Append(path[i]);
                continue;
            }

            i += 2;
        }

        return result.ToString();
    }

    internal static string DecodeUnreserved(string path)
    {
        var result = new StringBuilder(path.Length);
        for (var i = 0; i < path.Length; i++)
        {
            var c = path[i];
            if (c == '\\')
            {
                result.Append('/');
            }
            else if (c == '%' && i + 2 < path.Length && char.IsAsciiHexDigit(path[i + 1]) && char.IsAsciiHexDigit(path[i + 2]))
            {
                var value = (char)Convert.ToInt32(path.Substring(i + 1, 2), 16);
                if (char.IsAsciiLetterOrDigit(value) || value is '-' or '.' or '_' or '~')
                    result.Append(value);
                else
                    result.Append(path, i, 3);
                i += 2;
            }
            else if (c is < '!' or > '~' || Escaped.Contains(c, StringComparison.Ordinal))
            {
                // Kestrel hands the bytes over as Latin-1; what is not printable ASCII travels percent-encoded.
                result.Append('%').Append(((int)c & 0xff).ToString("X2"));
            }
            else
            {
                result.Append(c);
            }
        }

        return result.ToString();
    }

    /// <summary>RFC 3986, 5.2.4; an empty segment is kept.</summary>
    internal static string RemoveDotSegments(string path)
    {
        if (!path.Contains("/.", StringComparison.Ordinal))
            return path;
        var output = new List<string>();
        var segments = path.Split('/');
        for (var i = 1; i < segments.Length; i++)
        {
            var last = i == segments.Length - 1;
            switch (WithoutDotParameters(segments[i]))
            {
                case ".":
                    if (last)
                        output.Add(string.Empty);
                    break;
                case "..":
                    if (output.Count > 0)
                        output.RemoveAt(output.Count - 1);
                    if (last)
                        output.Add(string.Empty);
                    break;
                default:
                    output.Add(segments[i]);
                    break;
            }
        }

        return "/" + string.Join('/', output);
    }

    // "..;x" walks up in servers that drop path parameters: recorded as a dot segment.
    private static string WithoutDotParameters(string segment)
    {
        var semicolon = segment.IndexOf(';', StringComparison.Ordinal);
        return semicolon is 1 or 2 && segment.AsSpan(0, semicolon).IndexOfAnyExcept('.') < 0 ? segment[..semicolon] : segment;
    }

    internal static string MergeSlashes(string path)
    {
        if (!path.Contains("//", StringComparison.Ordinal))
            return path;
        var result = new StringBuilder(path.Length);
        foreach (var c in path)
        {
            if (c != '/' || result.Length == 0 || result[^1] != '/')
                result.Append(c);
        }

        return result.ToString();
    }
}
