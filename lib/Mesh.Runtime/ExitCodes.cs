namespace Mesh.Runtime;

/// <summary>Exit codes of all processes: the numbers of sysexits.h, so that a supervisor can tell a typing error from a busy port.</summary>
public static class ExitCodes
{
    public const int Ok = 0;

    /// <summary>A failure that has no better number.</summary>
    public const int Failure = 1;

    /// <summary>The command line or a setting is wrong. Nothing was bound or changed.</summary>
    public const int Usage = 64;

    /// <summary>Input data (a document, a certificate) is wrong.</summary>
    public const int Data = 65;

    /// <summary>A service that is needed cannot be reached.</summary>
    public const int Unavailable = 69;

    /// <summary>The operating system refused something: a port in use, a missing kernel feature.</summary>
    public const int OsError = 71;

    /// <summary>A file or directory cannot be created.</summary>
    public const int CannotCreate = 73;

    public const int InputOutput = 74;

    /// <summary>Trying again later may help.</summary>
    public const int TemporaryFailure = 75;

    /// <summary>Privileges are missing.</summary>
    public const int Permission = 77;

    /// <summary>The configuration is complete nonsense as a whole although each setting parses.</summary>
    public const int Configuration = 78;
}
