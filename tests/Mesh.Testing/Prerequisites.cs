namespace Mesh.Testing;

/// <summary>What a machine must offer for some tests. Each answer is null (there) or the text that explains the skip.</summary>
public static class Prerequisites
{
    // Daemons and packet tools live in the sbin folders, which an ordinary user's PATH often lacks.
    private static readonly string[] ExtraFolders = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

    public static string? MissingTools(params string[] tools)
    {
        ArgumentNullException.ThrowIfNull(tools);
        var missing = tools.Where(t => FindTool(t) is null).ToList();
        return missing.Count == 0 ? null : $"not installed here: {string.Join(", ", missing)}";
    }

    public static string? MissingRoot() =>
        OperatingSystem.IsLinux() && Environment.IsPrivilegedProcess ? null : "needs root on Linux";

    /// <summary>Full path of a program, or null.</summary>
    public static string? FindTool(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        var folders = (Environment.GetEnvironmentVariable("PATH") ?? string.Empty).Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        return folders.Concat(ExtraFolders).Select(f => Path.Combine(f, name)).FirstOrDefault(File.Exists);
    }
}
