using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.IdentityModel.Tokens;

namespace Mesh.Waypoint.Authorization;

/// <summary>A token whose signature was good, with what has to be looked at again each time: its times, and whether its keys are still the issuer's.</summary>
internal sealed record VerifiedToken(JwtResult Result, JsonElement Payload, JsonWebKeySet Keys, long? NotBefore, long? Expires);

/// <summary>
/// Tokens of one rule that were verified before, found by their whole text: checking an RSA signature costs more than all the rest of a request. Only
/// good ones are kept, so nobody can fill it with rubbish; it ends with its rule. Two generations bound it: what was not asked for since the last
/// change of generation is forgotten.
/// </summary>
internal sealed class VerifiedTokens
{
    /// <summary>Of one generation, in characters of the tokens' texts: 1 MiB for both of a rule, and their claims beside it.</summary>
    private const int Capacity = 256 * 1024;

    /// <summary>A longer one would push out too many others.</summary>
    private const int LongestKept = 8 * 1024;

    private volatile ConcurrentDictionary<string, VerifiedToken> _young = new(StringComparer.Ordinal);
    private volatile ConcurrentDictionary<string, VerifiedToken> _old = new(StringComparer.Ordinal);
    private int _length;

    public VerifiedToken? Find(string text)
    {
        if (_young.TryGetValue(text, out var token))
            return token;
        if (!_old.TryGetValue(text, out token))
            return null;
        Add(text, token);
        return token;
    }

    public void Add(string text, VerifiedToken token)
    {
        if (text.Length > LongestKept || !_young.TryAdd(text, token))
            return;

        // Two at the same time may both begin a generation: then one is short, which costs a verification.
        if (Interlocked.Add(ref _length, text.Length) <= Capacity)
            return;
        Volatile.Write(ref _length, 0);
        _old = _young;
        _young = new ConcurrentDictionary<string, VerifiedToken>(StringComparer.Ordinal);
    }
}
