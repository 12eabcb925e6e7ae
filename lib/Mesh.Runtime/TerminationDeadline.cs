namespace Mesh.Runtime;

/// <summary>How long open connections may live on after the process was told to stop.</summary>
public static class TerminationDeadline
{
    private static readonly TimeSpan Default = TimeSpan.FromSeconds(5);

    /// <summary>CONNECTION_TERMINATION_DEADLINE, else a little less than what Kubernetes grants (TERMINATION_GRACE_PERIOD_SECONDS), else 5 s.</summary>
    public static TimeSpan Read(EnvironmentSettings settings)
    {
        if (settings.OptionalDuration("CONNECTION_TERMINATION_DEADLINE") is { } stated)
            return stated;
        if (settings.OptionalInteger("TERMINATION_GRACE_PERIOD_SECONDS") is not { } grace)
            return Default;
        // Leave time to write the last log lines before SIGKILL: five seconds of a long period, one of a short one.
        return TimeSpan.FromSeconds(Math.Max(1, grace > 10 ? grace - 5 : grace - 1));
    }
}
