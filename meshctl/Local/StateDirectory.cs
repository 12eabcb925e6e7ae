using System.Text.RegularExpressions;

using Mesh.Runtime;

namespace Mesh.Meshctl.Local;

/// <summary>Where one mesh keeps what the host can see of it: control socket, process id, logs. Everything else lives in its namespaces.</summary>
/// <remarks>
/// <c>lock</c> is held (flock) by the daemon as long as it lives, so "is it up?" is answered by the kernel, never by a process id that may be reused.
/// <c>starting</c> is held by the one <c>meshctl up</c> that is preparing the directory.
/// </remarks>
internal sealed partial class StateDirectory
{
    // Longest path that fits sockaddr_un.sun_path (108 bytes with the terminating zero).
    private const int LongestSocketPath = 107;

    private StateDirectory(string name, string root)
    {
        Name = name;
        Path = System.IO.Path.Combine(root, name);
    }

    public string Name { get; }

    public string Path { get; }

    public string ControlSocket => Combine("control.sock");

    public string LockFile => Combine("lock");

    public string StartingFile => Combine("starting");

    /// <summary>Process id of the <c>unshare</c> that owns the namespaces, as the host sees it.</summary>
    public string ProcessIdFile => Combine("pid");

    public string Logs => Combine("logs");

    public string DaemonLog => System.IO.Path.Combine(Logs, "daemon.log");

    /// <summary>One line, written by the daemon when it cannot start: the sentence for the person and the exit code.</summary>
    public string FailureFile => Combine("failure");

    public static string DefaultRoot(bool isRoot, string? runtimeDirectory, string userName) =>
        isRoot ? "/run/meshctl"
        : !string.IsNullOrEmpty(runtimeDirectory) ? System.IO.Path.Combine(runtimeDirectory, "meshctl")
        : $"/tmp/meshctl-{userName}";

    public static string DefaultRoot() => DefaultRoot(
        Environment.IsPrivilegedProcess, Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR"), Environment.UserName);

    public static StateDirectory Of(string name, string? root = null)
    {
        if (!ValidName().IsMatch(name))
            throw new MeshctlException(ExitCodes.Usage, $"'{name}' cannot name a mesh: use up to 40 lower-case letters, digits and '-', beginning with a letter or digit.");
        var state = new StateDirectory(name, root ?? DefaultRoot());
        if (System.Text.Encoding.UTF8.GetByteCount(state.ControlSocket) > LongestSocketPath)
            throw new MeshctlException(ExitCodes.Usage, $"{state.ControlSocket} is too long for a socket path ({LongestSocketPath} bytes): choose a shorter --name or XDG_RUNTIME_DIR.");
        return state;
    }

    /// <summary>Every mesh directory beneath the same root, this one included.</summary>
    public static IEnumerable<StateDirectory> All(string? root = null)
    {
        root ??= DefaultRoot();
        return Directory.Exists(root)
            ? Directory.EnumerateDirectories(root).Select(System.IO.Path.GetFileName).OfType<string>().Where(n => ValidName().IsMatch(n)).Select(n => new StateDirectory(n, root))
            : [];
    }

    public void Create()
    {
        const UnixFileMode ownerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        try
        {
            foreach (var directory in (string[])[System.IO.Path.GetDirectoryName(Path)!, Path, Logs])
            {
                Directory.CreateDirectory(directory, ownerOnly);
                // In a world-writable parent somebody else may have made it first; only the owner can set the mode.
                File.SetUnixFileMode(directory, ownerOnly);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new MeshctlException(ExitCodes.CannotCreate, $"{Path} cannot be created ({e.Message}): set XDG_RUNTIME_DIR to a directory of your own, or remove what is in the way.");
        }
    }

    /// <summary>Whether a daemon holds this directory.</summary>
    public bool IsUp
    {
        get
        {
            if (!File.Exists(LockFile))
                return false;
            using var free = TryLock(LockFile);
            return free is null;
        }
    }

    /// <summary>Takes one of the lock files; null when another process has it.</summary>
    public static FileLock? TryLock(string file)
    {
        try
        {
            return new FileLock(new FileStream(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (IOException)
        {
            return null;
        }
    }

    public int? ReadProcessId() =>
        File.Exists(ProcessIdFile) && int.TryParse(File.ReadAllText(ProcessIdFile).Trim(), out var pid) ? pid : null;

    public void Remove()
    {
        var root = System.IO.Path.GetDirectoryName(Path)!;
        try
        {
            if (Directory.Exists(Path))
                Directory.Delete(Path, recursive: true);
            Directory.Delete(root);
        }
        catch (IOException)
        {
            // Another mesh of this user is there, or was removed by somebody else at the same moment.
        }
    }

    private string Combine(string file) => System.IO.Path.Combine(Path, file);

    [GeneratedRegex("^[a-z0-9][a-z0-9-]{0,39}$")]
    private static partial Regex ValidName();

    /// <summary>A held flock; released by the kernel when the process dies, whatever way.</summary>
    internal sealed class FileLock(FileStream stream) : IDisposable
    {
        public void Dispose() => stream.Dispose();
    }
}
