using System.Collections.Concurrent;
using System.Threading.Channels;
using Mesh.Runtime.Logging;

namespace Mesh.IstiodLite.Sources.Files;

/// <summary>
/// Watches a folder tree and tells when what is in force changed. Events only say where to look: the folder is looked at again by itself every
/// few seconds, so a lost event costs seconds, never a change.
/// </summary>
internal sealed class FileSource(ConfigFolder folder, TimeProvider time, Log? log) : IAsyncDisposable
{
    /// <summary>Long enough for the second write of an editor to have happened, short enough not to be noticed.</summary>
    private static readonly TimeSpan _settle = TimeSpan.FromMilliseconds(10);
    /// <summary>How long a file may stay empty before its documents count as removed.</summary>
    private static readonly TimeSpan _rewriteGrace = TimeSpan.FromMilliseconds(300);
    private static readonly TimeSpan _rescan = TimeSpan.FromSeconds(5);

    private readonly Channel<byte> _signal = Channel.CreateBounded<byte>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly ConcurrentDictionary<string, byte> _touched = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<TaskCompletionSource> _waiting = new();
    private readonly CancellationTokenSource _stop = new();
    private FileSystemWatcher? _watcher;
    private Task _running = Task.CompletedTask;
    private volatile bool _scanAll;

    // the watching task only
    private readonly Dictionary<string, long> _emptySince = new(StringComparer.Ordinal);

    /// <summary>Called from the watching task, one call at a time, with the time at which the change was noticed.</summary>
    public event Action<FolderState, long>? Changed;

    /// <summary>Reads everything once; from then on changes are told.</summary>
    public FolderState Start()
    {
        Watch();
        folder.ScanAll();
        var first = folder.State();
        _running = Task.Run(RunAsync);
        return first;
    }

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
        if (!await WaitAsync(_emptySince.Count > 0 ? _rewriteGrace : _rescan))
            _scanAll = true;
        var noticed = time.GetTimestamp();
        if (_waiting.IsEmpty)
            await Task.Delay(_settle, time, _stop.Token);
        while (_signal.Reader.TryRead(out _))
        {
            // Everything that happened until now is looked at below.
        }

        // After the signals: who comes between the two is served now and leaves a signal that costs one look. The other way round it would wait for the rescan.
        var waiting = new List<TaskCompletionSource>();
        while (_waiting.TryDequeue(out var waiter))
            waiting.Add(waiter);
        try
        {
            if (Look())
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

    /// <summary>False: nothing was told within the time.</summary>
    private async Task<bool> WaitAsync(TimeSpan longest)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        var signalled = _signal.Reader.WaitToReadAsync(limit.Token).AsTask();
        var first = await Task.WhenAny(signalled, Task.Delay(longest, time, limit.Token));
        await limit.CancelAsync();
        _stop.Token.ThrowIfCancellationRequested();
        return first == signalled;
    }

    private bool Look()
    {
        var touched = _touched.Keys.ToList();
        foreach (var path in touched)
            _touched.TryRemove(path, out _);
        var everything = _scanAll || touched.Exists(p => !ConfigFiles.IsConfig(p) && !File.Exists(p));
        _scanAll = false;
        if (everything)
        {
            // A watcher of a folder that was deleted hears nothing of a new one under the same name.
            if (!Directory.Exists(folder.Root))
                Interlocked.Exchange(ref _watcher, null)?.Dispose();
            else if (_watcher is null)
                Watch();
            if (_emptySince.Count == 0 && touched.Count == 0)
                return folder.ScanAll();
        }
        var changed = false;
        foreach (var path in touched.Concat(_emptySince.Keys).Distinct(StringComparer.Ordinal).ToList())
            changed |= ConfigFiles.IsConfig(path) && !Postponed(path) && folder.Scan(path);
        return everything && _emptySince.Count == 0 ? folder.ScanAll() | changed : changed;
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
            watcher.Changed += (_, e) => Touch(e.FullPath);
            watcher.Created += (_, e) => Touch(e.FullPath);
            watcher.Deleted += (_, e) => Touch(e.FullPath);
            watcher.Renamed += (_, e) =>
            {
                Touch(e.OldFullPath);
                Touch(e.FullPath);
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

    private void Touch(string path)
    {
        // A folder that appears or goes takes files with it for which there are no events of their own.
        if (Directory.Exists(path))
            _scanAll = true;
        _touched[path] = 0;
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
}
