using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Mesh.IstiodLite.Registration;

/// <summary>Asks instances that want to be asked, each at its own pace. A verdict falls after so many answers in a row as the check says.</summary>
internal sealed class InstanceProbes(TimeProvider time, Action<InstanceKey, bool, string> judge) : IDisposable
{
    // A check follows no redirect (the answer of the instance itself counts) and keeps no connection (a new one is part of the check).
    private readonly HttpClient _http = new(new SocketsHttpHandler { AllowAutoRedirect = false, PooledConnectionLifetime = TimeSpan.Zero, UseProxy = false, UseCookies = false })
    {
        Timeout = Timeout.InfiniteTimeSpan,
    };

    private readonly Lock _gate = new();
    private readonly Dictionary<InstanceKey, CancellationTokenSource> _running = [];

    public void Start(InstanceKey key, string address, Check check)
    {
        Stop(key);
        var stop = new CancellationTokenSource();
        lock (_gate)
            _running[key] = stop;
        _ = Task.Run(() => RunAsync(key, IPAddress.Parse(address), check, stop.Token), stop.Token);
    }

    public void Stop(InstanceKey key)
    {
        lock (_gate)
        {
            if (_running.Remove(key, out var stop))
                stop.Cancel();
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            foreach (var stop in _running.Values)
                stop.Cancel();
            _running.Clear();
        }

        _http.Dispose();
    }

    private async Task RunAsync(InstanceKey key, IPAddress address, Check check, CancellationToken stop)
    {
        var inARow = 0;
        bool? last = null;
        try
        {
            while (!stop.IsCancellationRequested)
            {
                var failure = await AskAsync(address, check, stop);
                inARow = last == (failure is null) ? inARow + 1 : 1;
                last = failure is null;
                if (inARow >= (failure is null ? check.Successes : check.Failures) && !stop.IsCancellationRequested)
                    judge(key, failure is null, failure ?? string.Empty);
                await Task.Delay(check.Interval, time, stop);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The instance is gone or is checked otherwise.
        }
    }

    /// <summary>Null: it answered as it should.</summary>
    private async Task<string?> AskAsync(IPAddress address, Check check, CancellationToken stop)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
        using var timer = time.CreateTimer(static source => ((CancellationTokenSource)source!).Cancel(), limit, check.Timeout, Timeout.InfiniteTimeSpan);
        var port = check.Http?.Port ?? check.Tcp!.Port;
        try
        {
            if (check.Tcp is not null)
            {
                using var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
                await socket.ConnectAsync(new IPEndPoint(address, port), limit.Token);
                return null;
            }

            var uri = new UriBuilder(Uri.UriSchemeHttp, address.ToString(), port).Uri;
            using var answer = await _http.GetAsync(new Uri(uri, check.Http!.Path ?? "/"), HttpCompletionOption.ResponseHeadersRead, limit.Token);
            // Kubernetes' rule for probes: 200 to 399 is success.
            return (int)answer.StatusCode is >= 200 and < 400 ? null : string.Create(CultureInfo.InvariantCulture, $"the check of port {port} was answered {(int)answer.StatusCode}");
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            return $"the check of port {port} was not answered within {Runtime.DurationText.Format(check.Timeout)}";
        }
        catch (Exception e) when (e is SocketException or HttpRequestException)
        {
            return $"the check of port {port} failed: {e.Message}";
        }
    }
}
