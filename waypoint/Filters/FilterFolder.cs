using Mesh.Runtime.Logging;

namespace Mesh.Waypoint.Filters;

/// <summary>
/// Loads every assembly of a folder that names filters, and does so again when a file changes. All of them are loaded beside those that serve, then
/// exchanged at once; where one cannot be loaded the last good set stays and the log says why.
/// </summary>
internal sealed class FilterFolder : IDisposable
{
    // Copying a file is many events; the last one counts.
    private static readonly TimeSpan Settling = TimeSpan.FromMilliseconds(200);

    private readonly FilterOptions _options;
    private readonly FilterCounters _counters;
    private readonly TimeProvider _time;
    private readonly Log? _log;
    private readonly FileSystemWatcher _watcher;
    private readonly ITimer _settled;
    private readonly Lock _loading = new();
    private volatile FilterSet _current = new([], []);
    private long _generation;

    public FilterFolder(FilterOptions options, FilterCounters counters, TimeProvider time, Log? log)
    {
        _options = options;
        _counters = counters;
        _time = time;
        _log = log;
        _settled = time.CreateTimer(_ => Reload(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _watcher = new FileSystemWatcher(options.Folder, "*.dll");
        _watcher.Changed += OnChanged;
        _watcher.Created += OnChanged;
        _watcher.Deleted += OnChanged;
        _watcher.Renamed += OnChanged;
        _watcher.EnableRaisingEvents = true;
        Reload();
    }

    public FilterOptions Options => _options;

    /// <summary>How often the folder was loaded, well or not.</summary>
    public long Generation => Interlocked.Read(ref _generation);

    /// <summary>The current filters, entered: <see cref="FilterSet.Leave"/> when the request has ended.</summary>
    public FilterSet Enter()
    {
        while (true)
        {
            var current = _current;
            if (current.TryEnter())
                return current;
        }
    }

    public void Dispose()
    {
        _watcher.Dispose();
        _settled.Dispose();
        lock (_loading)
            Exchange(new FilterSet([], []));
    }

    private void OnChanged(object sender, FileSystemEventArgs e) => _settled.Change(Settling, Timeout.InfiniteTimeSpan);

    private void Reload()
    {
        lock (_loading)
        {
            try
            {
                var set = Load();
                Exchange(set);
                _log?.Event(LogSeverity.Info, "filters loaded").Text("filters", string.Join(' ', set.Filters.Select(f => f.Name))).Write();
            }
            catch (Exception e) when (e is ConfigurationException or IOException)
            {
                _log?.Event(LogSeverity.Error, "filters refused; those loaded before stay").Text("error", e.Message).Write();
            }

            Interlocked.Increment(ref _generation);
        }
    }

    private FilterSet Load()
    {
        var filters = new List<LoadedFilter>();
        var assemblies = new List<FilterAssembly>();
        try
        {
            foreach (var path in Directory.EnumerateFiles(_options.Folder, "*.dll").Order(StringComparer.Ordinal))
            {
                if (FilterAssembly.Load(path) is not { } loaded)
                    continue;
                assemblies.Add(loaded.Context);
                filters.AddRange(loaded.Filters.Select(f => new LoadedFilter(f.Name, f.Filter, _options, _counters, _time)));
            }
        }
        catch
        {
            new FilterSet(filters, assemblies).Leave();
            throw;
        }

        return new FilterSet(filters, assemblies);
    }

    private void Exchange(FilterSet set)
    {
        var before = _current;
        _current = set;
        before.Leave();
    }
}
