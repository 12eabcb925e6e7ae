using System.Collections.Concurrent;
using Mesh.Runtime;
using Mesh.Runtime.Logging;
using Mesh.Runtime.Metrics;

namespace Mesh.IstiodLite.Telemetry;

/// <summary>
/// What is wrong right now although the last good state is served: detail of the readiness page and a metric. A fault never makes the process unready, because
/// clients would then lose a server that still knows what is right. Any thread.
/// </summary>
internal sealed class Health
{
    private readonly Readiness _readiness;
    private readonly Log? _log;
    private readonly ConcurrentDictionary<string, string> _faults = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Func<IEnumerable<string>>> _asked = new(StringComparer.Ordinal);

    public Health(Readiness readiness, MetricRegistry registry, Log? log)
    {
        (_readiness, _log) = (readiness, log);
        registry.SampledGauge("istiod_lite_faults", "What is wrong now although the last good state is served", samples =>
        {
            foreach (var part in Current().GroupBy(f => f.Part, StringComparer.Ordinal))
                samples.Write(part.Count(), LabelSet.Of(("part", part.Key)));
        });
    }

    /// <summary>The body of the readiness page: its first line, then one line per fault.</summary>
    public string Text => _readiness.Text + string.Concat(Current().Select(f => $"{f.Part}: {f.Text}\n"));

    /// <summary>Something fails from now on, until <see cref="Recovered"/>. The text says what, why and what to do.</summary>
    public void Failing(string part, string text)
    {
        var before = _faults.GetValueOrDefault(part);
        _faults[part] = text;
        if (before != text)
            _log?.Warn($"{part}: {text}");
    }

    public void Recovered(string part)
    {
        if (_faults.TryRemove(part, out _))
            _log?.Info($"{part}: works again");
    }

    /// <summary>Faults that somebody knows at the moment when they are asked for.</summary>
    public void Ask(string part, Func<IEnumerable<string>> faults) => _asked[part] = faults;

    /// <param name="of">Which parts are asked: some look at the whole mesh for it. Null: all.</param>
    public IEnumerable<(string Part, string Text)> Current(Func<string, bool>? of = null) => _faults.Select(f => (Part: f.Key, Text: f.Value))
        .Concat(_asked.Where(a => of?.Invoke(a.Key) is not false).SelectMany(a => a.Value().Select(text => (Part: a.Key, Text: text))))
        .Where(f => of?.Invoke(f.Part) is not false)
        .OrderBy(f => f.Part, StringComparer.Ordinal);
}
