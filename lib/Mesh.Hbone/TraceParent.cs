using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;

namespace Mesh.Hbone;

/// <summary>W3C trace context of one captured connection: <c>00-TRACE-SPAN-FLAGS</c>.</summary>
public readonly record struct TraceParent(ActivityTraceId TraceId, ActivitySpanId SpanId)
{
    /// <summary>version-format 00: 2 + 1 + 32 + 1 + 16 + 1 + 2 characters.</summary>
    private const int TextLength = 55;

    public static TraceParent New() => new(ActivityTraceId.CreateRandom(), ActivitySpanId.CreateRandom());

    /// <summary>The same trace, our own span.</summary>
    public TraceParent Child() => new(TraceId, ActivitySpanId.CreateRandom());

    public static bool TryParse([NotNullWhen(true)] string? text, out TraceParent value)
    {
        value = default;
        if (text is not { Length: TextLength } || text[2] != '-' || text[35] != '-' || text[52] != '-' || !IsId(text.AsSpan(3, 32)) || !IsId(text.AsSpan(36, 16)))
            return false;
        value = new TraceParent(ActivityTraceId.CreateFromString(text.AsSpan(3, 32)), ActivitySpanId.CreateFromString(text.AsSpan(36, 16)));
        return true;
    }

    /// <summary>Flags 00: whether to sample is decided by whoever records requests.</summary>
    public override string ToString() => $"00-{TraceId.ToHexString()}-{SpanId.ToHexString()}-00";

    // Lower-case hexadecimal and not all zeros, which the specification forbids and .NET refuses with an exception.
    private static bool IsId(ReadOnlySpan<char> text)
    {
        foreach (var c in text)
        {
            if (c is not ((>= '0' and <= '9') or (>= 'a' and <= 'f')))
                return false;
        }

        return text.IndexOfAnyExcept('0') >= 0;
    }
}
