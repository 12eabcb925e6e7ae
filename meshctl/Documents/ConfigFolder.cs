using Mesh.Meshctl.Control;

namespace Mesh.Meshctl.Documents;

/// <summary>The folder that the control plane watches: one file per pod and per applied document. Every file appears by rename, so it is never read half-written.</summary>
/// <remarks>Not thread-safe; the daemon calls it under one gate.</remarks>
internal sealed class ConfigFolder(string path)
{
    private readonly Dictionary<string, StoredDocument> _stored = new(StringComparer.OrdinalIgnoreCase);
    private readonly ServiceAddresses _services = new();

    public IEnumerable<MeshDocument> Documents => _stored.Values.Select(s => s.Document);

    public IEnumerable<NamedAddress> Names => Documents.SelectMany(_services.NamesOf);

    public void WritePod(PodDocument pod) => Write(PodFile(pod.Namespace, pod.Name), pod.ToYaml());

    public void RemovePod(string ns, string name) => File.Delete(Path.Combine(path, PodFile(ns, name)));

    /// <summary>What the documents will be in the folder: each a file of its own, completed as an API server would.</summary>
    public IReadOnlyList<StoredDocument> Prepare(IEnumerable<MeshDocument> documents) => [.. documents.Select(d =>
    {
        var (text, inserted) = _services.Complete(d);
        return new StoredDocument(d, text, inserted);
    })];

    /// <summary>The folder as it would be with these documents, somewhere else: for the control plane's opinion before anything is in force.</summary>
    public void Stage(IEnumerable<StoredDocument> documents, string directory)
    {
        foreach (var file in Directory.EnumerateFiles(path, "*.yaml"))
            File.Copy(file, Path.Combine(directory, Path.GetFileName(file)));
        foreach (var stored in documents)
            File.WriteAllText(Path.Combine(directory, stored.Document.FileName), stored.Text);
    }

    public void Commit(IEnumerable<StoredDocument> documents)
    {
        foreach (var stored in documents)
        {
            Write(stored.Document.FileName, stored.Text);
            _stored[stored.Document.FileName] = stored;
        }
    }

    public bool Remove(MeshDocument document)
    {
        if (!_stored.Remove(document.FileName))
            return false;
        File.Delete(Path.Combine(path, document.FileName));
        return true;
    }

    public MeshDocument? Find(string kind, string ns, string name) =>
        Documents.FirstOrDefault(d => d.Kind.Equals(kind, StringComparison.OrdinalIgnoreCase) && d.Name == name && (d.Namespace == ns || d.Namespace == "cluster"));

    /// <summary>The control plane speaks of files in the folder; the person knows the file that was applied.</summary>
    public DocumentProblem ToPerson(DocumentProblem problem) =>
        _stored.TryGetValue(Path.GetFileName(problem.File), out var stored) ? stored.ToPerson(problem) : problem;

    private static string PodFile(string ns, string name) => $"pod.{ns}.{name}.yaml";

    private void Write(string file, string text)
    {
        var temporary = Path.Combine(path, "." + file + ".new");
        File.WriteAllText(temporary, text);
        File.Move(temporary, Path.Combine(path, file), overwrite: true);
    }
}

/// <summary>A document as it lies in the folder.</summary>
/// <param name="InsertedLine">Number of the line that was put in; 0: none.</param>
internal sealed record StoredDocument(MeshDocument Document, string Text, int InsertedLine)
{
    public DocumentProblem ToPerson(DocumentProblem problem)
    {
        var line = InsertedLine > 0 && problem.Line > InsertedLine ? problem.Line - 1 : problem.Line;
        return problem with { File = Document.File, Line = line };
    }
}
