using Mesh.Meshctl.Control;

namespace Mesh.Meshctl.Documents;

/// <summary>The folder that the control plane watches: one file per pod and per applied document. Every file appears by rename, so it is never read half-written.</summary>
/// <remarks>Not thread-safe; the daemon calls it under one gate.</remarks>
internal sealed class ConfigFolder(string path)
{
    private readonly Dictionary<string, Stored> _stored = new(StringComparer.OrdinalIgnoreCase);
    private readonly ServiceAddresses _services = new();

    public IEnumerable<MeshDocument> Documents => _stored.Values.Select(s => s.Document);

    public IEnumerable<NamedAddress> Names => Documents.SelectMany(_services.NamesOf);

    public void WritePod(PodDocument pod) => Write(PodFile(pod.Namespace, pod.Name), pod.ToYaml());

    public void RemovePod(string ns, string name) => File.Delete(Path.Combine(path, PodFile(ns, name)));

    /// <summary>Writes the documents and returns what undoes exactly this.</summary>
    public IReadOnlyList<Action> Apply(IEnumerable<MeshDocument> documents)
    {
        List<Action> undo = [];
        foreach (var document in documents)
        {
            var before = _stored.GetValueOrDefault(document.FileName);
            undo.Add(before is null ? () => Remove(document) : () => Store(before));
            var (text, inserted) = _services.Complete(document);
            Store(new Stored(document, text, inserted));
        }

        return undo;
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

    /// <summary>The control plane speaks of files in this folder; the person knows the file that was applied.</summary>
    public DocumentProblem ToPerson(DocumentProblem problem)
    {
        if (!_stored.TryGetValue(Path.GetFileName(problem.File), out var stored))
            return problem;
        var line = stored.InsertedLine > 0 && problem.Line > stored.InsertedLine ? problem.Line - 1 : problem.Line;
        return problem with { File = stored.Document.File, Line = line };
    }

    private static string PodFile(string ns, string name) => $"pod.{ns}.{name}.yaml";

    private void Store(Stored stored)
    {
        Write(stored.Document.FileName, stored.Text);
        _stored[stored.Document.FileName] = stored;
    }

    private void Write(string file, string text)
    {
        var temporary = Path.Combine(path, "." + file + ".new");
        File.WriteAllText(temporary, text);
        File.Move(temporary, Path.Combine(path, file), overwrite: true);
    }

    private sealed record Stored(MeshDocument Document, string Text, int InsertedLine);
}
