using System.Diagnostics;

namespace Mesh.Testing;

/// <summary>Needs a Python that has grpc (Debian: python3-grpcio): an implementation of gRPC that is not ours on one end.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class PythonGrpcFactAttribute : FactAttribute
{
    private static readonly Lazy<string?> Found = new(Find);

    public PythonGrpcFactAttribute() => Skip = Missing;

    internal static string? Missing => Python is null ? "no python3 with the module grpc here (python3-grpcio)" : Prerequisites.MissingTools("protoc");

    /// <summary>Path of the interpreter, or null.</summary>
    public static string? Python => Found.Value;

    // A python3 earlier on the PATH is often another one than the system's, which has the packaged modules.
    private static string? Find() => new[] { "/usr/bin/python3", "python3" }.FirstOrDefault(CanImport);

    private static bool CanImport(string python)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(python, ["-c", "import grpc"]) { RedirectStandardError = true, UseShellExecute = false });
            return process is not null && process.WaitForExit(20_000) && process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }
}

/// <summary>The same with data.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class PythonGrpcTheoryAttribute : TheoryAttribute
{
    public PythonGrpcTheoryAttribute() => Skip = PythonGrpcFactAttribute.Missing;
}
