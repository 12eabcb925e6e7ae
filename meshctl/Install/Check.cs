namespace Mesh.Meshctl.Install;

internal enum CheckOutcome
{
    Passed,

    /// <summary>The mesh works; something will surprise.</summary>
    Warning,

    /// <summary>Installing would not end well.</summary>
    Failed,
}

/// <summary>One thing that was looked at.</summary>
/// <param name="Remedy">Empty where nothing is to be done; otherwise the exact step.</param>
internal sealed record CheckResult(string Name, CheckOutcome Outcome, string Found, string Remedy)
{
    public static CheckResult Pass(string name, string found) => new(name, CheckOutcome.Passed, found, string.Empty);
}
