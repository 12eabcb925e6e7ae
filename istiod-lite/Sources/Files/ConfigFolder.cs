using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Sources.Files;

/// <summary>The documents in force and what is wrong with the others.</summary>
internal sealed record FolderState(ResourceSet Resources, IReadOnlyList<Problem> Problems, int Files, int KeptDocuments);

/// <summary>Reads a folder tree, file by file, and remembers the last good version of each document. One thread at a time.</summary>
internal sealed class ConfigFolder(string root)
{
    private readonly SortedDictionary<string, FileRecord> _files = new(StringComparer.Ordinal);
    private bool _isMissing;

    public string Root => root;

    /// <summary>Looks at every file. True if something changed.</summary>
    public bool ScanAll()
    {
        if (!Directory.Exists(root))
        {
            var wasThere = !_isMissing;
            _isMissing = true;
            return wasThere;
        }
        var changed = _isMissing;
        _isMissing = false;
        List<string> present;
        try
        {
            present = [.. ConfigFiles.Enumerate(root)];
        }
        catch (IOException)
        {
            // A folder vanished while it was listed; the next scan sees what remained.
            return changed;
        }
        var names = present.ToHashSet(StringComparer.Ordinal);
        foreach (var gone in _files.Keys.Where(f => !names.Contains(f)).ToList())
        {
            _files.Remove(gone);
            changed = true;
        }
        foreach (var path in present)
            changed |= Scan(path);
        return changed;
    }

    /// <summary>Looks at one file. True if it changed.</summary>
    public bool Scan(string path)
    {
        FileStamp? stamp;
        try
        {
            stamp = FileStamp.Of(path);
        }
        catch (IOException)
        {
            return false;
        }
        if (stamp is null)
            return !_isMissing && Directory.Exists(root) && _files.Remove(path);
        var record = _files.GetValueOrDefault(path);
        if (record is not null && record.Stamp == stamp)
            return false;
        record ??= _files[path] = new FileRecord();
        record.Stamp = stamp.Value;
        record.Accept(Read(path, stamp.Value));
        return true;
    }

    /// <summary>True if a known file with documents is empty now: editors and "cat > file" truncate before they write.</summary>
    public bool IsBeingRewritten(string path) =>
        FileStamp.Of(path) is { Length: 0 } && _files.TryGetValue(path, out var record) && record.Good.Any();

    public FolderState State()
    {
        var problems = new List<Problem>();
        if (_isMissing)
        {
            problems.Add(new Problem(root, 0, string.Empty, ProblemSeverity.Error, $"the configuration folder {root} is gone; everything it last said stays in force",
                "create it again, or stop istiod-lite"));
        }
        var owners = new Dictionary<ResourceKey, Resource>();
        foreach (var record in _files.Values)
        {
            problems.AddRange(record.Parsed?.Problems ?? []);
            foreach (var resource in record.Good)
                Own(owners, resource, problems);
            foreach (var resource in Repeated(record))
                problems.Add(Duplicate(resource, owners[resource.Key]));
        }
        return new FolderState(new ResourceSet(owners.Values), problems, _files.Count, _files.Values.Sum(f => f.KeptDocuments));
    }

    private static void Own(Dictionary<ResourceKey, Resource> owners, Resource resource, List<Problem> problems)
    {
        if (!owners.TryAdd(resource.Key, resource))
            problems.Add(Duplicate(resource, owners[resource.Key]));
    }

    private static IEnumerable<Resource> Repeated(FileRecord record)
    {
        var seen = new HashSet<ResourceKey>();
        return (record.Parsed?.Resources ?? []).Where(r => !seen.Add(r.Key));
    }

    private static Problem Duplicate(Resource second, Resource first) =>
        Problem.Error(second, $"{second.Describe()} is already defined at {first.Position}; that one is in force, this one is not", "remove one of the two");

    private ParsedFile Read(string path, FileStamp stamp)
    {
        var name = Path.GetRelativePath(root, path);
        if (name is ".")
            name = Path.GetFileName(path);
        if (stamp.Length > YamlLimits.MaxFileBytes)
            return ParsedFile.Unreadable(name, $"the file has {stamp.Length:N0} bytes, more than the limit of {YamlLimits.MaxFileBytes:N0}", "split it");
        try
        {
            return ParsedFile.Parse(name, File.ReadAllBytes(path));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return ParsedFile.Unreadable(name, $"the file cannot be read: {e.Message}", "check its permissions");
        }
    }
}
