using System.Collections.Concurrent;
using System.Threading.Channels;
using Mesh.Runtime.Logging;

namespace Mesh.IstiodLite.Sources.Files;

/// <summary>
/// Watches a folder tree and tells when what is in force changed. Events only say where to look: the folder is looked at again by itself every
/// few seconds, so a lost event costs seconds, never a change.
/// </summary>
/// <remarks>
/// A file that was moved into place is complete and is read at once; one that is being written is read a moment after its first event. That moment belongs
/// to each file: no change waits for another one, and a burst never waits for silence.
/// </remarks>
internal sealed class FileSource(ConfigFolder folder, TimeProvider time, Log? log) : IMeshSource
{
    /// <summary>Long enough for the second write of an editor to have happened, short enough not to be noticed.</summary>
    private static readonly TimeSpan _settle = TimeSpan.FromMilliseconds(10);
    /// <summary>How long a file may stay empty before its documents count as removed.</summary>
    private static readonly TimeSpan _rewriteGrace = TimeSpan.FromMilliseconds(300);
    private static readonly TimeSpan _rescan = TimeSpan.FromSeconds(5);
    /// <summary>A look at everything may take this part of the time: in large trees it is done less often.</summary>
    private const int RescanShare = 200;

    private readonly Channel<byte> _signal = Channel.CreateBounded<byte>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly ConcurrentDictionary<string, Touched> _touched = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<TaskCompletionSource> _waiting = new();
    private readonly CancellationTokenSource _stop = new();
    private FileSystemWatcher? _watcher;
    private Task _running = Task.CompletedTask;
    private volatile bool _scanAll;

    // the watching task only
    private readonly Dictionary<string, long> _emptySince = new(StringComparer.Ordinal);
    private TimeSpan _rescanAfter = _rescan;
    private long _scanned;

    /// <summary>Called from the watching task, one call at a time, with the time at which the change was noticed.</summary>
    public event Action<FolderState, long>? Changed;

    public Task<FolderState> StartAsync(CancellationToken cancellation) => Task.FromResult(Start());

    /// <summary>A folder that is gone is a problem of the state that it tells.</summary>
    public IEnumerable<string> Faults() => [];

    /// <summary>Reads everything once.</summary>
    public FolderState Start()
    {
        Watch();
        ScanAll();
        return folder.State();
    }

    public void Follow() => _running = Task.Run(RunAsync);

    /// <summary>Looks now and returns when what was found has been told. For callers that know of a file that was just written.</summary>
    public Task RefreshAsync()
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _waiting.Enqueue(done);
        _scanAll = true;
        _signal.Writer.TryWrite(0);
        return done.Task;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _watcher?.Dispose();
        await _running;
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        try
        {
            while (!_stop.IsCancellationRequested)
                await RoundAsync();
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The end.
        }
    }

    private async Task RoundAsync()
    {
        if (!await WaitAsync(Pause()) && _emptySince.Count == 0 && time.GetElapsedTime(_scanned) >= _rescanAfter)
            _scanAll = true;
        while (_signal.Reader.TryRead(out _))
        {
            // Everything that happened until now is looked at below, or is waited for by the next round.
        }

        // After the signals: who comes between the two is served now and leaves a signal that costs one look. The other way round it would wait for the rescan.
        var waiting = new List<TaskCompletionSource>();
        while (_waiting.TryDequeue(out var waiter))
            waiting.Add(waiter);
        try
        {
            if (Look(evenUnsettled: waiting.Count > 0, out var noticed))
                Changed?.Invoke(folder.State(), noticed);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            log?.Warn($"looking at {folder.Root} failed and is tried again: {e.Message}");
        }
        finally
        {
            waiting.ForEach(w => w.TrySetResult());
        }
    }

    /// <summary>Until the first file may be read, or the next look at everything.</summary>
    private TimeSpan Pause()
    {
        if (_scanAll)
            return TimeSpan.Zero;
        var longest = _emptySince.Count > 0 ? _rewriteGrace : _rescanAfter - time.GetElapsedTime(_scanned);
        foreach (var touched in _touched.Values)
        {
            var left = time.GetElapsedTime(time.GetTimestamp(), touched.Ready);
            longest = left < longest ? left : longest;
        }

        return longest > TimeSpan.Zero ? longest : TimeSpan.Zero;
    }

    /// <summary>False: nothing was told within the time.</summary>
    private async Task<bool> WaitAsync(TimeSpan longest)
    {
        _stop.Token.ThrowIfCancellationRequested();
        if (longest == TimeSpan.Zero)
            return false;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        var signalled = _signal.Reader.WaitToReadAsync(limit.Token).AsTask();
        var first = await Task.WhenAny(signalled, Task.Delay(longest, time, limit.Token));
        await limit.CancelAsync();
        _stop.Token.ThrowIfCancellationRequested();
        return first == signalled;
    }

    private bool Look(bool evenUnsettled, out long noticed)
    {
        var now = time.GetTimestamp();
        var touched = _touched.Where(t => evenUnsettled || t.Value.Ready <= now).ToList();
        foreach (var path in touched)
            _touched.TryRemove(path);
        noticed = touched.Count > 0 ? touched.Min(t => t.Value.Seen) : now;
        // What went without being a document may have been a folder.
        var everything = _scanAll || touched.Exists(p => !ConfigFiles.IsConfig(p.Key) && folder.HasFilesBelow(p.Key));
        _scanAll = false;
        if (everything)
        {
            // A watcher of a folder that was deleted hears nothing of a new one under the same name.
            if (!Directory.Exists(folder.Root))
                Interlocked.Exchange(ref _watcher, null)?.Dispose();
            else if (_watcher is null)
                Watch();
            if (_emptySince.Count == 0 && touched.Count == 0)
                return ScanAll();
        }

        var changed = false;
        foreach (var path in touched.Select(t => t.Key).Concat(_emptySince.Keys).Distinct(StringComparer.Ordinal).ToList())
            changed |= ConfigFiles.IsConfig(path) && !Postponed(path) && folder.Scan(path);
        return everything && _emptySince.Count == 0 ? ScanAll() | changed : changed;
    }

    private bool ScanAll()
    {
        var began = time.GetTimestamp();
        var changed = folder.ScanAll();
        _scanned = time.GetTimestamp();
        var share = time.GetElapsedTime(began, _scanned) * RescanShare;
        _rescanAfter = share > _rescan ? share : _rescan;
        return changed;
    }

    /// <summary>A file that has just become empty is probably about to be written.</summary>
    private bool Postponed(string path)
    {
        if (!folder.IsBeingRewritten(path))
        {
            _emptySince.Remove(path);
            return false;
        }
        if (!_emptySince.TryGetValue(path, out var since))
            _emptySince[path] = since = time.GetTimestamp();
        if (time.GetElapsedTime(since) < _rewriteGrace)
            return true;
        _emptySince.Remove(path);
        return false;
    }

    private void Watch()
    {
        try
        {
            var watcher = new FileSystemWatcher(folder.Root)
            {
                IncludeSubdirectories = true,
                InternalBufferSize = 64 * 1024,
                NotifyFilter = NotifyFilters.FileName | NotifyFilters.DirectoryName | NotifyFilters.LastWrite | NotifyFilters.Size | NotifyFilters.CreationTime,
            };
            watcher.Changed += (_, e) => Touch(e.FullPath, _settle);
            watcher.Created += (_, e) => Touch(e.FullPath, _settle);
            watcher.Deleted += (_, e) => Touch(e.FullPath, _settle);
            watcher.Renamed += (_, e) =>
            {
                Touch(e.OldFullPath, _settle);
                Touch(e.FullPath, TimeSpan.Zero);
            };
            watcher.Error += (_, e) => Lost(watcher, e.GetException());
            watcher.EnableRaisingEvents = true;
            _watcher = watcher;
        }
        catch (Exception e) when (e is IOException or ArgumentException or UnauthorizedAccessException)
        {
            log?.Warn($"{folder.Root} cannot be watched ({e.Message}); it is looked at every {_rescan.TotalSeconds:0} s instead");
        }
    }

    /// <summary>A later event does not make the file wait longer.</summary>
    private void Touch(string path, TimeSpan settle)
    {
        // A folder that appears or goes takes files with it for which there are no events of their own.
        if (Directory.Exists(path))
            _scanAll = true;
        else if (!ConfigFiles.IsConfig(path) && settle > TimeSpan.Zero && Path.GetFileName(path.AsSpan()).StartsWith('.'))
            return;
        var seen = time.GetTimestamp();
        var ready = seen + (long)(settle.TotalSeconds * time.TimestampFrequency);
        _touched.AddOrUpdate(path, new Touched(seen, ready), (_, known) => known with { Ready = Math.Min(known.Ready, ready) });
        _signal.Writer.TryWrite(0);
    }

    private void Lost(FileSystemWatcher watcher, Exception cause)
    {
        log?.Warn($"events of {folder.Root} were lost ({cause.Message}); everything is looked at again");
        if (Interlocked.CompareExchange(ref _watcher, null, watcher) == watcher)
            watcher.Dispose();
        _scanAll = true;
        _signal.Writer.TryWrite(0);
    }

    /// <summary>When a path's first event came and from when on it may be read, as timestamps.</summary>
    private readonly record struct Touched(long Seen, long Ready);
}
