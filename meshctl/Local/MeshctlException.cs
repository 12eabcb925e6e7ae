namespace Mesh.Meshctl.Local;

/// <summary>An expected failure of a command: the text is the one sentence the person reads, the code is what the shell gets.</summary>
internal sealed class MeshctlException(int exitCode, string message) : Exception(message)
{
    public int ExitCode { get; } = exitCode;
}
