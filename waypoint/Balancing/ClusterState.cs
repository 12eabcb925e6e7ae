using Mesh.Waypoint.Resilience;

namespace Mesh.Waypoint.Balancing;

/// <summary>One cluster: its endpoints with their state, and the view that requests choose from.</summary>
internal sealed class ClusterState : IDisposable
{
    /// <summary>How often the weights of endpoints that warm up are looked at again.</summary>
    private static readonly TimeSpan WarmupStep = TimeSpan.FromSeconds(1);

    private readonly TimeProvider _time;
    private readonly Random _random;
    private readonly TimeSpan _longestPushback;
    private readonly Lock _gate = new();

    // Under _gate.
    private readonly Dictionary<EndpointKey, EndpointState> _endpoints = [];
    private ITimer? _ticker;
    private ITimer? _returns;
    private long _pushbacks;

    // Any thread; replaced as a whole.
    private volatile ClusterView? _view;
    private volatile OutlierDetector? _outlier;

    /// <param name="longestPushback">A rate-limited endpoint is left alone for at most this long; zero: it is not.</param>
    public ClusterState(string name, TimeProvider time, Random random, TimeSpan longestPushback = default)
    {
        Name = name;
        _longestPushback = longestPushback;
        _time = time;
        _random = random;
    }

    public string Name { get; }

    public CircuitState Circuit { get; } = new();

    /// <summary>Null: the control plane does not (or not any more) know this cluster.</summary>
    public ClusterView? View => _view;

    public OutlierDetector? Outlier => _outlier;

    public void Apply(ClusterModel? model)
    {
        List<EndpointState> gone = [];
        lock (_gate)
        {
            var before = _view?.Model;
            var wanted = model?.Endpoints.ToDictionary(e => e.Key, e => e.Endpoint) ?? [];
            foreach (var (key, state) in _endpoints)
            {
                if (!wanted.ContainsKey(key))
                    gone.Add(state);
            }

            foreach (var state in gone)
                _endpoints.Remove(state.Key);
            var now = _time.GetUtcNow();
            foreach (var (key, description) in wanted)
            {
                if (_endpoints.TryGetValue(key, out var there))
                    there.Description = description;
                else
                    _endpoints[key] = new EndpointState(key, description, now);
            }

            if (model is null)
            {
                StopTickerLocked();
                _outlier = null;
                _view = null;
            }
            else
            {
                ApplyOutlierLocked(before, model);
                RebuildLocked(model);
            }

            if (before is not null && model is not null && !before.ConnectionShape.Equals(model.ConnectionShape))
            {
                // Connections were made under other rules (protocol, limits, TLS): they finish, new ones follow the new rules.
                foreach (var state in _endpoints.Values)
                    state.Pools.Retire();
            }
        }

        foreach (var state in gone)
            state.Pools.Retire();
    }

    /// <summary>Tells outlier detection what happened; an ejection takes effect with the next choice.</summary>
    public void Report(EndpointState endpoint, EndpointResult result)
    {
        if (_outlier is { } outlier && outlier.Report(endpoint.Outlier, result))
            Rebuild();
    }

    /// <summary>How often an endpoint was left alone because of a rate-limited answer.</summary>
    public long Pushbacks => Interlocked.Read(ref _pushbacks);

    /// <summary>
    /// An endpoint asked to be left alone: until then others are preferred. An answer that comes while it holds can make it longer only, so a flood
    /// of such answers costs nothing more.
    /// </summary>
    /// <returns>For how long; null where it makes no difference.</returns>
    public TimeSpan? PushBack(EndpointState endpoint, TimeSpan asked)
    {
        var held = asked < _longestPushback ? asked : _longestPushback;
        if (held <= TimeSpan.Zero || _view is not { Model.Hash: null })
            return null;
        lock (_gate)
        {
            var now = _time.GetUtcNow();
            var before = endpoint.PushedBackUntil;
            if (now + held <= before)
                return null;
            endpoint.PushedBackUntil = now + held;
            if (before <= now)
            {
                Interlocked.Increment(ref _pushbacks);
                if (_view is { } view)
                    RebuildLocked(view.Model);
            }
        }

        return held;
    }

    public void Dispose()
    {
        lock (_gate)
        {
            StopTickerLocked();
            _returns?.Dispose();
            _returns = null;
        }
    }

    private void ApplyOutlierLocked(ClusterModel? before, ClusterModel model)
    {
        if (model.Outlier is null)
        {
            StopTickerLocked();
            if (model.Warmup is { } warmup && warmup > TimeSpan.Zero)
                _ticker = _time.CreateTimer(_ => OnTick(), null, WarmupStep, WarmupStep);
            _outlier = null;
            foreach (var endpoint in _endpoints.Values)
                endpoint.Outlier.IsEjected = false;
            return;
        }

        if (_outlier is null || before?.Outlier != model.Outlier)
        {
            StopTickerLocked();
            _outlier = new OutlierDetector(model.Outlier, _time);
            _ticker = _time.CreateTimer(_ => OnTick(), null, model.Outlier.Interval, model.Outlier.Interval);
        }

        _outlier.SetHosts([.. _endpoints.Values.Select(e => e.Outlier)]);
    }

    private void OnTick()
    {
        if (_outlier?.Tick() == true || _view?.NeedsRefresh == true)
            Rebuild();
    }

    private void Rebuild()
    {
        lock (_gate)
        {
            if (_view is { } view)
                RebuildLocked(view.Model);
        }
    }

    private void RebuildLocked(ClusterModel model)
    {
        var now = _time.GetUtcNow();
        var view = ClusterView.Build(model, [.. model.Endpoints.Select(e => _endpoints[e.Key])], now, _random);
        _view = view;
        if (view.NextReturn is { } next)
            (_returns ??= _time.CreateTimer(_ => Rebuild(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan)).Change(next - now, Timeout.InfiniteTimeSpan);
    }

    private void StopTickerLocked()
    {
        _ticker?.Dispose();
        _ticker = null;
    }
}
