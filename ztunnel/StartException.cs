namespace Mesh.Ztunnel;

/// <summary>The process cannot start. The message says what to do, the code tells a supervisor which kind it is.</summary>
internal sealed class StartException(int exitCode, string message) : Exception(message)
{
    public int ExitCode { get; } = exitCode;
}
