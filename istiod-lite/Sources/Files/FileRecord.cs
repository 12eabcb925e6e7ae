using Mesh.IstiodLite.Resources;

namespace Mesh.IstiodLite.Sources.Files;

/// <summary>What is known of one file: what it says now, and the last good version of each of its documents.</summary>
internal sealed class FileRecord(string path)
{
    private Dictionary<ResourceKey, Resource> _good = [];

    public string Path { get; } = path;
    public FileStamp Stamp { get; set; }
    public IReadOnlyList<Problem> Problems { get; private set; } = [];
    /// <summary>Documents that say a second time, in the same file, what another has said.</summary>
    public IReadOnlyList<Resource> Repeated { get; private set; } = [];
    /// <summary>Documents in force although the file says something else now.</summary>
    public int KeptDocuments { get; private set; }

    public IReadOnlyDictionary<ResourceKey, Resource> Good => _good;

    /// <summary>
    /// Takes a new version. A refused document keeps its last good version. Where a document cannot even be told apart from its neighbours nothing
    /// that was there before is dropped: a file that is being written must not take policies away.
    /// </summary>
    public void Accept(ParsedFile parsed)
    {
        var now = new Dictionary<ResourceKey, Resource>(parsed.Resources.Count);
        List<Resource>? repeated = null;
        foreach (var resource in parsed.Resources)
        {
            if (!now.TryAdd(resource.Key, resource))
                (repeated ??= []).Add(resource);
        }

        KeptDocuments = 0;
        foreach (var (key, resource) in _good)
        {
            if (now.ContainsKey(key) || !(parsed.HasUnknownDocument || parsed.Refused.Contains(key)))
                continue;
            now[key] = resource;
            KeptDocuments++;
        }

        _good = now;
        Problems = parsed.Problems;
        Repeated = (IReadOnlyList<Resource>?)repeated ?? [];
    }
}

/// <summary>What tells two versions of a file apart without reading it.</summary>
internal readonly record struct FileStamp(long Length, DateTime Written)
{
    public static FileStamp? Of(string path)
    {
        var info = new FileInfo(path);
        // A link (Kubernetes mounts ConfigMaps through them) is as old as what it points to.
        if (info.Exists && (info.Attributes & FileAttributes.ReparsePoint) != 0 && info.ResolveLinkTarget(returnFinalTarget: true) is FileInfo target)
            info = target;
        return info.Exists ? new FileStamp(info.Length, info.LastWriteTimeUtc) : null;
    }
}
