using System.Security.Cryptography;

namespace Mesh.IstiodLite.Certificates;

/// <summary>The state folder cannot be used as it is; the message says what to do.</summary>
internal sealed class StateException(int exitCode, string message) : Exception(message)
{
    public int ExitCode { get; } = exitCode;
}

/// <summary>Secrets in the state folder: files of mode 0600 that appear complete or not at all.</summary>
internal static class StateFiles
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    public static void CreateFolder(string folder)
    {
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StateException(Runtime.ExitCodes.CannotCreate, $"the state folder {folder} cannot be created: {e.Message}");
        }
    }

    /// <summary>The content, or null if there is no such file. A secret that others may read is refused: it is no secret any more.</summary>
    public static string? ReadSecret(string path)
    {
        if (!File.Exists(path))
            return null;
        try
        {
            if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & ~OwnerOnly) != 0)
                throw new StateException(Runtime.ExitCodes.Permission, $"{path} may be read by others than its owner: replace it if they could have read it, then chmod 600 {path}");
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StateException(Runtime.ExitCodes.Permission, $"{path} cannot be read: {e.Message}");
        }
    }

    /// <summary>Writes a file that must not exist yet. False: somebody else was first; read theirs.</summary>
    public static bool TryCreate(string path, string content, bool secret)
    {
        var temporary = $"{path}.{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(6))}.new";
        try
        {
            Write(temporary, content, secret);
            // A hard link would be the way to "create only if absent" by rename; Move without overwrite does the same on one file system.
            File.Move(temporary, path, overwrite: false);
            return true;
        }
        catch (IOException) when (File.Exists(path))
        {
            File.Delete(temporary);
            return false;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StateException(Runtime.ExitCodes.CannotCreate, $"{path} cannot be written: {e.Message}");
        }
    }

    /// <summary>Writes or replaces a file; the old one stays until the new one is complete.</summary>
    public static void Replace(string path, string content, bool secret = false)
    {
        var temporary = $"{path}.{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(6))}.new";
        try
        {
            Write(temporary, content, secret);
            File.Move(temporary, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StateException(Runtime.ExitCodes.CannotCreate, $"{path} cannot be written: {e.Message}");
        }
    }

    private static void Write(string path, string content, bool secret)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = secret ? OwnerOnly : OwnerOnly | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
        using var writer = new StreamWriter(path, options);
        writer.Write(content);
    }
}
