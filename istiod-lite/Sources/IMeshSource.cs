using Mesh.IstiodLite.Sources.Files;

namespace Mesh.IstiodLite.Sources;

/// <summary>Where documents come from: a folder, or a cluster.</summary>
internal interface IMeshSource : IAsyncDisposable
{
    /// <summary>One call at a time, with the time at which the change was noticed.</summary>
    event Action<FolderState, long>? Changed;

    /// <summary>Returns when everything has been read once. What changes from then on is kept until <see cref="Follow"/>.</summary>
    Task<FolderState> StartAsync(CancellationToken cancellation);

    /// <summary>The state of the start is in force: changes are told from now on. Told before it, they would be undone by it.</summary>
    void Follow();

    /// <summary>Looks now and returns when what was found has been told.</summary>
    Task RefreshAsync();

    /// <summary>What is wrong with the source now although its last state is served.</summary>
    IEnumerable<string> Faults();
}
