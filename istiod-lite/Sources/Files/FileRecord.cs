using Mesh.IstiodLite.Resources;

namespace Mesh.IstiodLite.Sources.Files;

/// <summary>What is known of one file: what it says now, and the last good version of each of its documents.</summary>
internal sealed class FileRecord
{
    private Dictionary<ResourceKey, Resource> _good = [];

    public FileStamp Stamp { get; set; }
    public ParsedFile? Parsed { get; private set; }
    /// <summary>Documents in force although the file says something else now.</summary>
    public int KeptDocuments { get; private set; }

    public IEnumerable<Resource> Good => _good.Values;

    /// <summary>
    /// Takes a new version. A refused document keeps its last good version. Where a document cannot even be told apart from its neighbours nothing
    /// that was there before is dropped: a file that is being written must not take policies away.
    /// </summary>
    public void Accept(ParsedFile parsed)
    {
        var now = new Dictionary<ResourceKey, Resource>();
        foreach (var resource in parsed.Resources)
            now.TryAdd(resource.Key, resource);
        KeptDocuments = 0;
        foreach (var (key, resource) in _good)
        {
            if (now.ContainsKey(key) || !(parsed.HasUnknownDocument || parsed.Refused.Contains(key)))
                continue;
            now[key] = resource;
            KeptDocuments++;
        }
        _good = now;
        Parsed = parsed;
    }
}

/// <summary>What tells two versions of a file apart without reading it.</summary>
internal readonly record struct FileStamp(long Length, DateTime Written)
{
    public static FileStamp? Of(string path)
    {
        var info = new FileInfo(path);
        // A link (Kubernetes mounts ConfigMaps through them) is as old as what it points to.
        if (info.LinkTarget is not null && info.ResolveLinkTarget(returnFinalTarget: true) is FileInfo target)
            info = target;
        return info.Exists ? new FileStamp(info.Length, info.LastWriteTimeUtc) : null;
    }
}
