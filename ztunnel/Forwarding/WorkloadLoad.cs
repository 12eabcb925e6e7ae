namespace Mesh.Ztunnel.Forwarding;

/// <summary>How many connections each workload has from one loop. Loop only. Empty entries are dropped.</summary>
internal sealed class WorkloadLoad
{
    private readonly Dictionary<string, int> _open = new(StringComparer.Ordinal);

    public int Of(string uid) => _open.GetValueOrDefault(uid);

    /// <param name="uid">Null: nobody that is known.</param>
    public void Add(string? uid, int change)
    {
        if (uid is null)
            return;
        var now = Of(uid) + change;
        if (now > 0)
            _open[uid] = now;
        else
            _open.Remove(uid);
    }
}
