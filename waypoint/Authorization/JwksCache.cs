using System.Collections.Concurrent;
using Microsoft.IdentityModel.Tokens;

namespace Mesh.Waypoint.Authorization;

/// <summary>Fetches one document; the deadline is the rule's.</summary>
internal delegate Task<string> JwksFetcher(Uri address, CancellationToken cancellation);

/// <summary>
/// Keys of issuers whose JWKS the control plane did not inline. One fetch at a time per address; an issuer that is away for a while does not
/// matter: the last good keys stay until new ones come.
/// </summary>
internal sealed class JwksCache(JwksFetcher fetch, TimeProvider time)
{
    /// <summary>Envoy's cache duration for remote key sets (reference 3.7).</summary>
    private static readonly TimeSpan Fresh = TimeSpan.FromMinutes(5);

    /// <summary>After a failure the issuer is left alone for this long.</summary>
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<string, Entry> _entries = new(StringComparer.Ordinal);

    public ValueTask<JsonWebKeySet?> GetAsync(JwtRule rule, CancellationToken cancellation)
    {
        if (rule.Source.JwksUri.Length == 0 || !Uri.TryCreate(rule.Source.JwksUri, UriKind.Absolute, out var address))
            return ValueTask.FromResult<JsonWebKeySet?>(null);
        var entry = _entries.GetOrAdd(rule.Source.JwksUri, _ => new Entry());
        if (entry.Keys is not null && time.GetUtcNow() < entry.NextFetch)
            return ValueTask.FromResult<JsonWebKeySet?>(entry.Keys);
        return new ValueTask<JsonWebKeySet?>(RefreshAsync(entry, address, rule, cancellation));
    }

    private async Task<JsonWebKeySet?> RefreshAsync(Entry entry, Uri address, JwtRule rule, CancellationToken cancellation)
    {
        await entry.Gate.WaitAsync(cancellation);
        try
        {
            if (time.GetUtcNow() < entry.NextFetch)
                return entry.Keys;
            var timeout = rule.Source.Timeout?.ToTimeSpan() is { Ticks: > 0 } set ? set : TimeSpan.FromSeconds(5);
            using var deadline = new CancellationTokenSource(timeout, time);
            try
            {
                entry.Keys = new JsonWebKeySet(await fetch(address, deadline.Token));
                entry.NextFetch = time.GetUtcNow() + Fresh;
            }
            catch (Exception e) when (e is HttpRequestException or OperationCanceledException or ArgumentException or IOException)
            {
                entry.NextFetch = time.GetUtcNow() + RetryAfter;
            }

            return entry.Keys;
        }
        finally
        {
            entry.Gate.Release();
        }
    }

    private sealed class Entry
    {
        public readonly SemaphoreSlim Gate = new(1);

        public volatile JsonWebKeySet? Keys;

        public DateTimeOffset NextFetch;
    }
}
