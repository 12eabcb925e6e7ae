using Mesh.Runtime.Metrics;

namespace Mesh.Ztunnel.Telemetry;

/// <summary>The series of one pair of peers, looked up once per connection at most; bytes are then one interlocked addition.</summary>
internal sealed class TrafficSeries
{
    private readonly ZtunnelMetrics _metrics;
    private readonly TrafficKey _key;
    private readonly Counter _opened;
    private Counter? _received;
    private Counter? _sent;
    private string? _lastFlags;
    private LabelSet? _lastLabels;
    private readonly LabelSet _labels;

    public TrafficSeries(ZtunnelMetrics metrics, in TrafficKey key)
    {
        _metrics = metrics;
        _key = key;
        _labels = Labels("-");
        _opened = metrics.Opened.With(_labels);
    }

    public void Opened() => _opened.Increment();

    public void Received(long bytes) => (_received ??= _metrics.Received.With(_labels)).Add(bytes);

    public void Sent(long bytes) => (_sent ??= _metrics.Sent.With(_labels)).Add(bytes);

    public void Closed(string flags)
    {
        var labels = flags == "-" ? _labels : LabelsOf(flags);
        _metrics.Closed.With(labels).Increment();
        if (flags != "-")
            _metrics.Failed.With(labels).Increment();
    }

    private LabelSet LabelsOf(string flags)
    {
        if (_lastFlags != flags || _lastLabels is null)
            (_lastFlags, _lastLabels) = (flags, Labels(flags));
        return _lastLabels;
    }

    private LabelSet Labels(string flags)
    {
        var values = TrafficLabels.Values(_key, flags);
        return _key.ClientIdentity is { } client
            ? LabelSet.Of([.. TrafficLabels.Names, TrafficLabels.ClientPrincipal], [.. values, client.ToString()])
            : LabelSet.Of(TrafficLabels.Names, values);
    }
}

/// <summary>One loop's memory of series: building the labels of a connection costs more than everything else about its metrics.</summary>
internal sealed class TrafficSeriesMemory(ZtunnelMetrics metrics)
{
    /// <summary>Keys hold references into snapshots: forgetting all now and then lets old snapshots go.</summary>
    private const int Limit = 4096;

    private readonly Dictionary<TrafficKey, TrafficSeries> _series = [];
    private readonly Dictionary<Mesh.Model.Workloads.Workload, TrafficPeer> _peers = new(ReferenceEqualityComparer.Instance);

    public TrafficSeries Get(in TrafficKey key)
    {
        if (_series.TryGetValue(key, out var series))
            return series;
        if (_series.Count >= Limit)
            _series.Clear();
        return _series[key] = new TrafficSeries(metrics, key);
    }

    public TrafficPeer PeerOf(Mesh.Model.Workloads.Workload? workload)
    {
        if (workload is null)
            return TrafficPeer.Nobody;
        if (_peers.TryGetValue(workload, out var peer))
            return peer;
        if (_peers.Count >= Limit)
            _peers.Clear();
        return _peers[workload] = TrafficPeer.Of(workload);
    }
}
