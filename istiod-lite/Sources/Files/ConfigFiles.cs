using System.IO.Enumeration;

namespace Mesh.IstiodLite.Sources.Files;

/// <summary>Which files of a folder tree hold documents.</summary>
internal static class ConfigFiles
{
    /// <summary>Hidden files and folders are editors' and version control's; Kubernetes mounts ConfigMaps through "..data".</summary>
    public static bool IsConfig(ReadOnlySpan<char> path)
    {
        var name = Path.GetFileName(path);
        if (name.StartsWith('.') || name.EndsWith('~'))
            return false;
        return name.EndsWith(".yaml", StringComparison.Ordinal) || name.EndsWith(".yml", StringComparison.Ordinal) || name.EndsWith(".json", StringComparison.Ordinal);
    }

    /// <summary>All configuration files below a folder, in byte order of their paths; or the one file that was named.</summary>
    public static IEnumerable<string> Enumerate(string root)
    {
        if (File.Exists(root))
            return [root];
        var options = new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true, AttributesToSkip = 0, MaxRecursionDepth = 32 };
        return new FileSystemEnumerable<string>(root, static (ref FileSystemEntry entry) => entry.ToSpecifiedFullPath(), options)
        {
            ShouldIncludePredicate = static (ref FileSystemEntry entry) => !entry.IsDirectory && IsConfig(entry.FileName),
            ShouldRecursePredicate = static (ref FileSystemEntry entry) => !entry.FileName.StartsWith('.'),
        }.Order(StringComparer.Ordinal);
    }
}
