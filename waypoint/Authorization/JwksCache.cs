using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.IdentityModel.Tokens;

namespace Mesh.Waypoint.Authorization;

/// <summary>Fetches one document; the deadline is the rule's.</summary>
internal delegate Task<string> JwksFetcher(Uri address, CancellationToken cancellation);

/// <summary>
/// Keys of issuers whose JWKS is not written in the rule: from its <c>jwksUri</c>, or from where the issuer's OpenID configuration says. One fetch at
/// a time per issuer. Keys that are there serve at once, however old: they are renewed beside the requests, and an issuer that is away, or answers
/// with something else, does not matter. Only the first fetch is waited for; without any keys nothing can be verified.
/// </summary>
internal sealed class JwksCache(JwksFetcher fetch, TimeProvider time, Action<string, string>? onFailure = null)
{
    /// <summary>Envoy's cache duration for remote key sets (reference 3.7).</summary>
    public static readonly TimeSpan Fresh = TimeSpan.FromMinutes(5);

    /// <summary>After a failure the issuer is left alone for this long.</summary>
    public static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(5);

    /// <summary>Tokens that name unknown keys cause one fetch in this time: anybody can make such tokens.</summary>
    public static readonly TimeSpan UnknownKeyInterval = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<string, Entry> _entries = new(StringComparer.Ordinal);

    public ValueTask<JsonWebKeySet?> GetAsync(JwtRule rule, CancellationToken cancellation)
    {
        var entry = EntryOf(rule);
        var keys = entry.Keys;
        if (keys is not null && time.GetUtcNow() < entry.NextFetch)
            return ValueTask.FromResult<JsonWebKeySet?>(keys);
        return TryStart(entry, rule, forUnknownKey: false, out var running) && keys is null ? WaitAsync(entry, running, cancellation) : ValueTask.FromResult(keys);
    }

    /// <summary>A token names a key that is not in <paramref name="known"/>: perhaps the issuer has a new one.</summary>
    /// <returns><paramref name="known"/>, or what came after it.</returns>
    public ValueTask<JsonWebKeySet?> GetNewerAsync(JwtRule rule, JsonWebKeySet known, CancellationToken cancellation)
    {
        var entry = EntryOf(rule);
        if (!ReferenceEquals(entry.Keys, known))
            return ValueTask.FromResult(entry.Keys);
        return TryStart(entry, rule, forUnknownKey: true, out var running) ? WaitAsync(entry, running, cancellation) : ValueTask.FromResult<JsonWebKeySet?>(known);
    }

    /// <summary>Why there are no keys, for logs.</summary>
    public string? FailureOf(JwtRule rule) => EntryOf(rule).Failure;

    private Entry EntryOf(JwtRule rule) => _entries.GetOrAdd(rule.Source.JwksUri.Length > 0 ? rule.Source.JwksUri : rule.Issuer, _ => new Entry());

    private static async ValueTask<JsonWebKeySet?> WaitAsync(Entry entry, Task running, CancellationToken cancellation)
    {
        await running.WaitAsync(cancellation);
        return entry.Keys;
    }

    /// <returns>False where it is too early for a fetch and none is under way.</returns>
    private bool TryStart(Entry entry, JwtRule rule, bool forUnknownKey, out Task running)
    {
        lock (entry.Gate)
        {
            running = entry.Running;
            if (!running.IsCompleted)
                return true;
            var now = time.GetUtcNow();
            if (now < (forUnknownKey ? entry.NextForUnknownKey : entry.NextFetch))
                return false;

            // Set before the first await can give control back: whoever comes meanwhile is too early.
            entry.NextFetch = now + RetryAfter;
            entry.NextForUnknownKey = now + UnknownKeyInterval;
            running = entry.Running = RefreshAsync(entry, rule);
            return true;
        }
    }

    private async Task RefreshAsync(Entry entry, JwtRule rule)
    {
        var source = rule.Source.JwksUri.Length > 0 ? rule.Source.JwksUri : rule.Issuer;
        try
        {
            var timeout = rule.Source.Timeout?.ToTimeSpan() is { Ticks: > 0 } set ? set : TimeSpan.FromSeconds(5);
            using var deadline = new CancellationTokenSource(timeout, time);
            var address = rule.Source.JwksUri.Length > 0 ? AddressOf(rule.Source.JwksUri) : await DiscoverAsync(rule.Issuer, deadline.Token);
            var keys = new JsonWebKeySet(await fetch(address, deadline.Token));
            if (keys.Keys.Count == 0)
                throw new InvalidDataException("it has no keys");
            entry.Failure = null;
            entry.Keys = keys;
            entry.NextFetch = time.GetUtcNow() + Fresh;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            entry.NextFetch = time.GetUtcNow() + RetryAfter;
            entry.Failure = $"the keys of {source}: {(e is OperationCanceledException ? "no answer in time" : e.Message)}";
            onFailure?.Invoke(source, entry.Failure);
        }
    }

    // OpenID Connect Discovery 1.0, section 4.
    private async Task<Uri> DiscoverAsync(string issuer, CancellationToken cancellation)
    {
        using var document = JsonDocument.Parse(await fetch(AddressOf(issuer.TrimEnd('/') + "/.well-known/openid-configuration"), cancellation));
        return document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty("jwks_uri", out var found) && found.ValueKind == JsonValueKind.String
            ? AddressOf(found.GetString()!)
            : throw new InvalidDataException("its OpenID configuration has no jwks_uri");
    }

    private static Uri AddressOf(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var address) && (address.Scheme == Uri.UriSchemeHttp || address.Scheme == Uri.UriSchemeHttps)
            ? address
            : throw new InvalidDataException($"\"{text}\" is no URL of a key set");

    private sealed class Entry
    {
        public readonly Lock Gate = new();

        // Read by any request, written by the one fetch.
        private volatile JsonWebKeySet? _keys;
        private long _nextFetch;
        private long _nextForUnknownKey;

        public JsonWebKeySet? Keys
        {
            get => _keys;
            set => _keys = value;
        }

        public string? Failure { get; set; }

        // Under Gate.
        public Task Running { get; set; } = Task.CompletedTask;

        public DateTimeOffset NextFetch
        {
            get => new(Volatile.Read(ref _nextFetch), TimeSpan.Zero);
            set => Volatile.Write(ref _nextFetch, value.UtcTicks);
        }

        public DateTimeOffset NextForUnknownKey
        {
            get => new(Volatile.Read(ref _nextForUnknownKey), TimeSpan.Zero);
            set => Volatile.Write(ref _nextForUnknownKey, value.UtcTicks);
        }
    }
}
