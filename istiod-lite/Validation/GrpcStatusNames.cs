namespace Mesh.IstiodLite.Validation;

/// <summary>The status codes of gRPC by name; the place in the list is the number.</summary>
internal static class GrpcStatusNames
{
    private static readonly string[] _names =
    [
        "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
    ];

    public static bool IsKnown(string text) => CodeOf(text) is not null;

    /// <summary>A name or a number; null: neither.</summary>
    public static uint? CodeOf(string text)
    {
        if (uint.TryParse(text, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var number))
            return number < _names.Length ? number : null;
        var index = Array.FindIndex(_names, n => n.Equals(text, StringComparison.OrdinalIgnoreCase));
        return index < 0 ? null : (uint)index;
    }
}
