namespace Mesh.Waypoint.Filters;

/// <summary>The filters of one state of the folder, in running order. Requests that entered keep it alive; then its assemblies are unloaded.</summary>
internal sealed class FilterSet(IReadOnlyList<LoadedFilter> filters, IReadOnlyList<FilterAssembly> assemblies)
{
    // Requests under way, plus one while the set is the current one.
    private int _users = 1;

    public IReadOnlyList<LoadedFilter> Filters => filters;

    /// <returns>False: it was replaced in between; take the current one.</returns>
    public bool TryEnter()
    {
        while (true)
        {
            var users = Volatile.Read(ref _users);
            if (users == 0)
                return false;
            if (Interlocked.CompareExchange(ref _users, users + 1, users) == users)
                return true;
        }
    }

    /// <summary>Ends one request's use, or the set's time as the current one.</summary>
    public void Leave()
    {
        if (Interlocked.Decrement(ref _users) != 0)
            return;
        foreach (var filter in filters)
            filter.Dispose();
        foreach (var assembly in assemblies)
            assembly.Unload();
    }
}
