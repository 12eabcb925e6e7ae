using Mesh.Waypoint.Balancing;

namespace Mesh.Waypoint.Tests.Balancing;

/// <summary>Outlier detection as the reference's numbered sentences say it, in whole seconds.</summary>
internal sealed class PlainOutlierModel(int hosts, OutlierSettings settings)
{
    private readonly int[] _errors = new int[hosts];
    private readonly int[] _gateway = new int[hosts];
    private readonly int[] _multiplier = new int[hosts];
    private readonly int[] _ejectedAt = new int[hosts];
    private readonly int?[] _backAt = new int?[hosts];

    public bool[] Ejected { get; } = new bool[hosts];

    public int Now { get; set; }

    public void Report(int host, int status)
    {
        if (status < 500)
        {
            _errors[host] = _gateway[host] = 0;
            return;
        }

        if (status is 502 or 503 or 504)
        {
            _gateway[host]++;
            if (_gateway[host] == settings.ConsecutiveGatewayErrors && !TryEject(host))
                _gateway[host] = 0;
            if (_ejectedNow)
            {
                _ejectedNow = false;
                _errors[host]++;
                return;
            }
        }
        else
        {
            _gateway[host] = 0;
        }

        _errors[host]++;
        if (_errors[host] == settings.Consecutive5xx && !TryEject(host) && !Ejected[host])
            _errors[host] = 0;
        _ejectedNow = false;
    }

    private bool _ejectedNow;

    public void Tick()
    {
        for (var i = 0; i < hosts; i++)
        {
            if (Ejected[i])
            {
                var seconds = Math.Min(_multiplier[i] * settings.BaseEjectionTime.TotalSeconds, 300);
                if (Now - _ejectedAt[i] < seconds)
                    continue;
                Ejected[i] = false;
                _backAt[i] = Now;
                _errors[i] = _gateway[i] = 0;
            }
            else if (_multiplier[i] > 0 && Now - _backAt[i] >= settings.Interval.TotalSeconds)
            {
                _multiplier[i]--;
            }
        }
    }

    private bool TryEject(int host)
    {
        if (Ejected[host])
            return true;
        if (100.0 * (Ejected.Count(e => e) + 1) / hosts > settings.MaxEjectionPercent)
            return false;
        Ejected[host] = true;
        _ejectedNow = true;
        _ejectedAt[host] = Now;
        if (_multiplier[host] * settings.BaseEjectionTime.TotalSeconds < 300 + settings.BaseEjectionTime.TotalSeconds)
            _multiplier[host]++;
        return true;
    }
}
