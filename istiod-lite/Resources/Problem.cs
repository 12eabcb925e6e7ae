namespace Mesh.IstiodLite.Resources;

internal enum ProblemSeverity
{
    Warning,
    Error,
}

/// <summary>Where a document was written. Line is 1-based; File is as the person named it.</summary>
internal sealed record DocumentPosition(string File, int Line)
{
    public static readonly DocumentPosition None = new(string.Empty, 0);

    public override string ToString() => File.Length == 0 ? "(made by istiod-lite)" : $"{File}:{Line}";
}

/// <summary>
/// One thing a person should know about one document: what is wrong, where, and what to do. An Error means the document as it
/// stands is not in force (its last good version is); a Warning means it is, but perhaps not as its writer expects.
/// </summary>
internal sealed record Problem(string File, int Line, string Document, ProblemSeverity Severity, string Reason, string Fix)
{
    public static Problem Warning(Resource resource, string reason, string fix, int line = 0) =>
        new(resource.Position.File, line > 0 ? line : resource.Position.Line, resource.Describe(), ProblemSeverity.Warning, reason, fix);

    public static Problem Duplicate(Resource second, Resource first) =>
        Error(second, $"{second.Describe()} is already defined at {first.Position}; that one is in force, this one is not", "remove one of the two");

    /// <summary>As people read files.</summary>
    public static IEnumerable<Problem> Sort(IEnumerable<Problem> problems) =>
        problems.OrderBy(p => p.File, StringComparer.Ordinal).ThenBy(p => p.Line).ThenBy(p => p.Reason, StringComparer.Ordinal);

    public static Problem Error(Resource resource, string reason, string fix, int line = 0) =>
        new(resource.Position.File, line > 0 ? line : resource.Position.Line, resource.Describe(), ProblemSeverity.Error, reason, fix);
}
