using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Sources.Files;

/// <summary>The documents in force and what is wrong with the others.</summary>
/// <param name="Resources">In force.</param>
/// <param name="Changes">What is different from the state before.</param>
/// <param name="Problems">Of documents, duplicates and the folder.</param>
/// <param name="Files">That were read.</param>
/// <param name="KeptDocuments">In force in an older version than the file's.</param>
internal sealed record FolderState(ResourceSet Resources, IReadOnlyList<ResourceChange> Changes, IReadOnlyList<Problem> Problems, int Files, int KeptDocuments);

/// <summary>Reads a folder tree, file by file, and remembers the last good version of each document. One thread at a time.</summary>
internal sealed class ConfigFolder(string root)
{
    private static readonly Dictionary<ResourceKey, Resource> _nothing = [];

    private readonly Dictionary<string, FileRecord> _files = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, FileRecord> _faulty = new(StringComparer.Ordinal);
    private readonly DocumentOwners _owners = new();
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
            changed |= Forget(gone);
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
            return !_isMissing && Directory.Exists(root) && Forget(path);
        var record = _files.GetValueOrDefault(path);
        if (record is not null && record.Stamp == stamp)
            return false;
        record ??= _files[path] = new FileRecord(path);
        record.Stamp = stamp.Value;
        var before = record.Good;
        record.Accept(Read(path, stamp.Value));
        _owners.Replace(path, before, record.Good);
        if (record.Problems.Count > 0 || record.Repeated.Count > 0 || record.KeptDocuments > 0)
            _faulty[path] = record;
        else
            _faulty.Remove(path);
        return true;
    }

    private bool Forget(string path)
    {
        if (!_files.Remove(path, out var record))
            return false;
        _faulty.Remove(path);
        _owners.Replace(path, record.Good, _nothing);
        return true;
    }

    /// <summary>True if a known file with documents is empty now: editors and "cat > file" truncate before they write.</summary>
    public bool IsBeingRewritten(string path) =>
        FileStamp.Of(path) is { Length: 0 } && _files.TryGetValue(path, out var record) && record.Good.Count > 0;

    public bool HasFilesBelow(string path) => _files.Keys.Any(f => f.Length > path.Length && f[path.Length] == Path.DirectorySeparatorChar && f.StartsWith(path, StringComparison.Ordinal));

    /// <summary>What is in force now; its changes are those since the last call.</summary>
    public FolderState State()
    {
        var problems = new List<Problem>();
        if (_isMissing)
        {
            problems.Add(new Problem(root, 0, string.Empty, ProblemSeverity.Error, $"the configuration folder {root} is gone; everything it last said stays in force",
                "create it again, or stop istiod-lite"));
        }

        foreach (var record in _faulty.Values)
        {
            problems.AddRange(record.Problems);
            problems.AddRange(record.Repeated.Select(r => Problem.Duplicate(r, _owners.Owner(r.Key))));
        }

        problems.AddRange(_owners.Losers().Select(l => Problem.Duplicate(l.Second, l.First)));
        var (resources, changes) = _owners.Take();
        return new FolderState(resources, changes, problems, _files.Count, _faulty.Values.Sum(f => f.KeptDocuments));
    }

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
