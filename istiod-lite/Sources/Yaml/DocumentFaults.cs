namespace Mesh.IstiodLite.Sources.Yaml;

/// <param name="Line">1-based line in the file.</param>
/// <param name="SchemaOnly">True: a cluster's schema refuses it, Istio's webhook does not look at it.</param>
internal sealed record Fault(int Line, string Reason, string Fix, bool SchemaOnly);

/// <summary>What is wrong with one document, as it is found: all of it, not only the first; and what is merely odd.</summary>
/// <param name="ignoreUnknownFields">True for what an API server has accepted: a field that nobody knows here belongs to a newer release.</param>
internal sealed class DocumentFaults(bool ignoreUnknownFields = false)
{
    private const int MostReported = 20;

    private readonly HashSet<int> _misspelt = [];

    public List<Fault> Items { get; } = [];
    public List<Fault> Warnings { get; } = [];

    /// <summary>True if Istio's validating webhook would refuse the document.</summary>
    public bool RefusedByWebhook { get; private set; }

    public void Add(int line, string reason, string fix)
    {
        RefusedByWebhook = true;
        // A field that is misspelt is missing, too; that needs not be said.
        if (!_misspelt.Contains(line))
            Note(Items, new Fault(line, reason, fix, SchemaOnly: false));
    }

    public void AddUnknownField(int line, string reason, string fix, bool schemaOnly)
    {
        if (ignoreUnknownFields)
            return;
        RefusedByWebhook |= !schemaOnly;
        Note(Items, new Fault(line, reason, fix, schemaOnly));
        _misspelt.Add(line);
    }

    public void AddToSchema(int line, string reason, string fix) => Note(Items, new Fault(line, reason, fix, SchemaOnly: true));

    public void Warn(int line, string reason, string fix) => Note(Warnings, new Fault(line, reason, fix, SchemaOnly: false));

    private static void Note(List<Fault> list, Fault fault)
    {
        if (list.Count < MostReported && !list.Contains(fault))
            list.Add(fault);
    }
}
