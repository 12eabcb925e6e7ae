using Mesh.Identity.Tls;
using Mesh.Runtime.Logging;

namespace Mesh.Ztunnel.Local;

/// <summary>
/// The revocation list of <c>CRL_PATH</c>. Looked at every two seconds instead of watched: the file may not exist yet, and Kubernetes replaces
/// it by swapping a link two folders up. A file that cannot be read changes nothing.
/// </summary>
internal sealed class CrlFile
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

    private readonly string _path;
    private readonly Log _log;
    private readonly TimeProvider _time;
    private (DateTime Written, long Length) _seen;

    public CrlFile(string path, LogSink sink, TimeProvider time)
    {
        _path = path;
        _log = sink.For("crl");
        _time = time;
        if (!Reload())
            _log.Warn($"no certificate revocation list at {path} yet: nothing is revoked until it appears");
    }

    public RevocationList List { get; } = new();

    /// <param name="changed">Called after each new content.</param>
    public async Task WatchAsync(Func<Task> changed, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            await Task.Delay(Interval, _time, CancellationToken.None);
            if (Reload())
                await changed();
        }
    }

    private bool Reload()
    {
        try
        {
            // Follows links: what counts is the file behind them.
            var target = new FileInfo(_path).ResolveLinkTarget(returnFinalTarget: true) as FileInfo ?? new FileInfo(_path);
            if (!target.Exists)
                return false;
            var seen = (target.LastWriteTimeUtc, target.Length);
            if (seen == _seen)
                return false;
            if (List.Replace(File.ReadAllBytes(_path)) is { } error)
            {
                _log.Warn($"{_path}: {error}; the list in use stays");
                _seen = seen;
                return false;
            }
            _seen = seen;
            _log.Info($"{_path}: {List.Count} revoked certificates");
            return true;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            _log.Warn($"{_path} cannot be read, the list in use stays: {failure.Message}");
            return false;
        }
    }
}
