using System.Buffers;

namespace Mesh.Waypoint.Http1;

/// <summary>
/// What a header may be made of (RFC 9110 5.1, 5.5). Clients of HTTP/2 can send anything as a name or a value; a line end in it would be a second
/// request to an HTTP/1.1 application.
/// </summary>
internal static class FieldRules
{
    private static readonly SearchValues<char> TokenChars = SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
    private static readonly SearchValues<char> ForbiddenInValue = SearchValues.Create([.. Enumerable.Range(0, 32).Where(b => b != 9).Select(b => (char)b), '\u007f']);

    /// <exception cref="ClientFaultException">It is no header.</exception>
    public static void Check(string name, string value)
    {
        if (name.Length == 0 || name.AsSpan().IndexOfAnyExcept(TokenChars) >= 0)
            throw new ClientFaultException("a header name is no token");
        CheckValue(name, value);
    }

    public static bool IsValue(string value) => value.AsSpan().IndexOfAny(ForbiddenInValue) < 0;

    public static void CheckValue(string name, string value)
    {
        if (!IsValue(value))
            throw new ClientFaultException($"the value of {name} has a control character");
    }
}
