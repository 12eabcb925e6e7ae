using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Telemetry;
using Mesh.Runtime.Logging;

namespace Mesh.IstiodLite.Registration;

/// <summary>
/// The registered instances and their health. An instance that misses its heartbeat or fails its check is taken out (its entry becomes unhealthy), comes back
/// when it recovers, and is forgotten when it stays out for long. Time is monotonic: a jump of the clock takes nobody out. Any thread.
/// </summary>
internal sealed class InstanceRegistry : IDisposable
{
    private readonly Func<string, string, WorkloadGroup?> _groups;
    private readonly RegistrationFile _file;
    private readonly InstanceProbes _probes;
    private readonly TimeProvider _time;
    private readonly Log? _log;
    private readonly Lock _gate = new();
    private readonly Dictionary<InstanceKey, Record> _records = [];
    private readonly ITimer _deadlines;
    private bool _disposed;

    /// <param name="groups">Finds a WorkloadGroup by namespace and name.</param>
    /// <param name="file">Where instances survive a restart.</param>
    /// <param name="time">Of deadlines.</param>
    /// <param name="log">Of changes of health.</param>
    public InstanceRegistry(Func<string, string, WorkloadGroup?> groups, RegistrationFile file, TimeProvider time, Log? log)
    {
        (_groups, _file, _time, _log) = (groups, file, time, log);
        _probes = new InstanceProbes(time, Judge);
        _deadlines = time.CreateTimer(_ => PassDeadlines(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Called with what is different, under the registry's lock; when it returns the change is in force.</summary>
    public Action<IReadOnlyList<ResourceChange>>? Changed { get; set; }

    public IReadOnlyList<Instance> All
    {
        get
        {
            lock (_gate)
                return [.. _records.Values.Select(r => r.Instance).OrderBy(i => i.Key.ToString(), StringComparer.Ordinal)];
        }
    }

    public Instance? Find(InstanceKey key)
    {
        lock (_gate)
            return _records.GetValueOrDefault(key)?.Instance;
    }

    /// <summary>What an earlier run knew. Everybody gets a whole time to live to show that it is still there.</summary>
    public void Restore()
    {
        var changes = new List<ResourceChange>();
        foreach (var saved in _file.Read())
        {
            var key = new InstanceKey(saved.Namespace, saved.Group, saved.Name);
            if (_groups(saved.Namespace, saved.Group) is not { } group)
                _log?.Warn($"{key} is forgotten: its WorkloadGroup is gone");
            else if (InstanceRules.Make(key, saved.Request with { Address = saved.Address }, group, null, out var error) is { } instance)
                changes.Add(Put(instance with { Healthy = saved.Healthy }));
            else
                _log?.Warn($"{key} is forgotten: {error!.Error}");
        }

        // One change set, however many there are.
        if (changes.Count > 0)
            Changed?.Invoke(changes);
    }

    /// <summary>New, or changed; an instance that only repeats itself keeps its health.</summary>
    public void Register(Instance instance)
    {
        lock (_gate)
        {
            if (_records.GetValueOrDefault(instance.Key)?.Instance is { } before && Same(before, instance))
            {
                Heartbeat(instance.Key, healthy: instance.Check is null || before.Healthy, before.Reason);
                return;
            }

            Changed?.Invoke([Put(instance)]);
            Save();
        }

        _log?.Info($"{instance.Key} registered at {instance.Address}");
    }

    /// <summary>False: not registered; the instance must register again.</summary>
    public bool Heartbeat(InstanceKey key, bool healthy, string? reason)
    {
        lock (_gate)
        {
            if (!_records.TryGetValue(key, out var record))
                return false;
            record.LastHeard = _time.GetTimestamp();
            Become(record, healthy, healthy ? string.Empty : reason is { Length: > 0 } ? reason : "it says so itself");
            Arm();
            return true;
        }
    }

    public bool Deregister(InstanceKey key)
    {
        lock (_gate)
        {
            if (!_records.TryGetValue(key, out var record))
                return false;
            Remove(record);
            Save();
        }

        _log?.Info($"{key} deregistered");
        return true;
    }

    /// <summary>Groups changed: entries are made anew from their templates, and instances whose group is gone go, too.</summary>
    public void GroupsChanged(IEnumerable<ResourceChange> resources)
    {
        var changed = resources.Where(c => (c.After ?? c.Before) is WorkloadGroup).Select(g => (g.Key.Namespace, g.Key.Name)).ToHashSet();
        if (changed.Count == 0)
            return;
        var changes = new List<ResourceChange>();
        lock (_gate)
        {
            foreach (var record in _records.Values.Where(r => changed.Contains((r.Instance.Namespace, r.Instance.Group))).ToList())
            {
                var before = record.Entry;
                if (_groups(record.Instance.Namespace, record.Instance.Group) is { } group)
                {
                    record.Entry = InstanceRules.Entry(record.Instance, group);
                    changes.Add(new ResourceChange(before, record.Entry));
                    continue;
                }

                _probes.Stop(record.Instance.Key);
                _records.Remove(record.Instance.Key);
                changes.Add(new ResourceChange(before, null));
                _log?.Warn($"{record.Instance.Key} is forgotten: its WorkloadGroup is gone");
            }

            if (changes.Count == 0)
                return;
            Changed?.Invoke(changes);
            Save();
        }
    }

    public void Dispose()
    {
        lock (_gate)
            _disposed = true;
        _deadlines.Dispose();
        _probes.Dispose();
    }

    private static bool Same(Instance a, Instance b) => (a with { Healthy = false, Reason = "", Request = b.Request }) == (b with { Healthy = false, Reason = "" })
        && System.Text.Json.JsonSerializer.Serialize(a.Request, RegistrationJson.Default.InstanceRequest) == System.Text.Json.JsonSerializer.Serialize(b.Request, RegistrationJson.Default.InstanceRequest);

    private ResourceChange Put(Instance instance)
    {
        lock (_gate)
        {
            var before = _records.GetValueOrDefault(instance.Key)?.Entry;
            var record = new Record(instance, InstanceRules.Entry(instance, _groups(instance.Namespace, instance.Group)!)) { LastHeard = _time.GetTimestamp(), OutSince = _time.GetTimestamp() };
            _records[instance.Key] = record;
            if (instance.Check is { } check)
                _probes.Start(instance.Key, instance.Address, check);
            else
                _probes.Stop(instance.Key);
            Arm();
            return new ResourceChange(before, record.Entry);
        }
    }

    /// <summary>A check's verdict.</summary>
    private void Judge(InstanceKey key, bool healthy, string reason)
    {
        lock (_gate)
        {
            if (_disposed || !_records.TryGetValue(key, out var record))
                return;
            Become(record, healthy, reason);
            Arm();
        }
    }

    private void Become(Record record, bool healthy, string reason)
    {
        var before = record.Instance;
        record.Instance = before with { Healthy = healthy, Reason = reason };
        if (before.Healthy == healthy)
            return;
        record.OutSince = _time.GetTimestamp();
        _log?.Info(healthy ? $"{before.Key} answers again and is back" : $"{before.Key} is taken out: {reason}");
        if (_groups(before.Namespace, before.Group) is { } group)
        {
            var entry = InstanceRules.Entry(record.Instance, group);
            Changed?.Invoke([new ResourceChange(record.Entry, entry)]);
            record.Entry = entry;
        }

        Save();
    }

    private void Remove(Record record)
    {
        _probes.Stop(record.Instance.Key);
        _records.Remove(record.Instance.Key);
        Changed?.Invoke([new ResourceChange(record.Entry, null)]);
    }

    private void PassDeadlines()
    {
        lock (_gate)
        {
            if (_disposed)
                return;
            foreach (var record in _records.Values.ToList())
            {
                var instance = record.Instance;
                if (instance is { Healthy: true, Ttl: { } ttl } && _time.GetElapsedTime(record.LastHeard) >= ttl)
                    Become(record, healthy: false, $"no heartbeat within {Runtime.DurationText.Format(ttl)}");
                if (!record.Instance.Healthy && _time.GetElapsedTime(record.OutSince) >= instance.ForgetAfter)
                {
                    _log?.Info($"{instance.Key} is forgotten: out for {Runtime.DurationText.Format(instance.ForgetAfter)}");
                    Remove(record);
                    Save();
                }
            }

            Arm();
        }
    }

    /// <summary>The timer goes off at the next deadline of anybody.</summary>
    private void Arm()
    {
        if (_disposed)
            return;
        var next = Timeout.InfiniteTimeSpan;
        foreach (var record in _records.Values)
        {
            TimeSpan? left = record.Instance switch
            {
                { Healthy: true, Ttl: { } ttl } => ttl - _time.GetElapsedTime(record.LastHeard),
                { Healthy: false, ForgetAfter: var forget } => forget - _time.GetElapsedTime(record.OutSince),
                _ => null,
            };
            if (left is { } time && (next == Timeout.InfiniteTimeSpan || time < next))
                next = time > TimeSpan.Zero ? time : TimeSpan.Zero;
        }

        _deadlines.Change(next, Timeout.InfiniteTimeSpan);
    }

    private void Save() => _file.Write(_records.Values.Select(r => r.Instance));

    private sealed class Record(Instance instance, WorkloadEntry entry)
    {
        public Instance Instance { get; set; } = instance;
        public WorkloadEntry Entry { get; set; } = entry;
        public long LastHeard { get; set; }
        public long OutSince { get; set; }
    }
}
