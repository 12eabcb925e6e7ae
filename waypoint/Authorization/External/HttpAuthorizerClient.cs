using System.Globalization;
using Mesh.Waypoint.Forwarding;
using Mesh.Waypoint.Routing;

namespace Mesh.Waypoint.Authorization.External;

/// <summary>The HTTP form: the request's head, asked of the authorizer; 200 allows, 5xx is a failure, everything else is the client's answer.</summary>
internal static class HttpAuthorizerClient
{
    private const int MaxAnswer = 1024 * 1024;
    private static readonly UriCreationOptions Verbatim = new() { DangerousDisablePathAndQueryCanonicalization = true };

    // Framing and connection of the answer are not the client's answer's.
    private static readonly HashSet<string> NeverPassed = new(StringComparer.OrdinalIgnoreCase) { "content-length", "date", "server" };

    public static async Task<AuthorizerAnswer> AskAsync(ServiceClient client, ExternalAuthorizer authorizer, Exchange exchange, PeekedBody? body, CancellationToken cancellation)
    {
        using var message = Message(authorizer, exchange, body);
        try
        {
            using var response = await client.Http.SendAsync(message, cancellation);
            await response.Content.LoadIntoBufferAsync(MaxAnswer, cancellation);
            return await UnderstandAsync(authorizer.Http!, response, cancellation);
        }
        catch (Exception e) when (e is HttpRequestException or IOException && !cancellation.IsCancellationRequested)
        {
            return AuthorizerAnswer.Failure(e.InnerException?.Message ?? e.Message);
        }
    }

    private static HttpRequestMessage Message(ExternalAuthorizer authorizer, Exchange exchange, PeekedBody? body)
    {
        var rule = authorizer.Http!;
        var facts = exchange.Facts;
        var told = body is null ? ReadOnlyMemory<byte>.Empty : body.Bytes[..Math.Min(authorizer.Body!.MaxBytes, body.Bytes.Length)];
        var message = new HttpRequestMessage(new HttpMethod(facts.Method), new Uri($"http://{authorizer.Authority}{rule.PathPrefix}{facts.PathAndQuery}", Verbatim))
        {
            Version = System.Net.HttpVersion.Version11,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        if (body is not null || facts.Method is not ("GET" or "HEAD"))
            message.Content = new ReadOnlyMemoryContent(told);
        message.Headers.TryAddWithoutValidation("Host", facts.Authority);
        foreach (var (name, values) in facts.Headers)
        {
            var goes = name.Equals("authorization", StringComparison.OrdinalIgnoreCase) || rule.RequestHeaders.Matches(name);
            if (!goes || name.Length == 0 || name[0] == ':' || HopByHop.Is(name) || name.Equals("host", StringComparison.OrdinalIgnoreCase) || name.Equals("content-length", StringComparison.OrdinalIgnoreCase))
                continue;
            if (!message.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values))
                message.Content?.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values);
        }

        foreach (var (name, value) in rule.AdditionalHeaders)
        {
            message.Headers.Remove(name);
            message.Headers.TryAddWithoutValidation(name, value);
        }

        if (body is not null)
            message.Headers.TryAddWithoutValidation(CheckRequests.PartialBody, told.Length < body.Bytes.Length || !body.IsComplete ? "true" : "false");
        return message;
    }

    private static async Task<AuthorizerAnswer> UnderstandAsync(HttpCheck rule, HttpResponseMessage response, CancellationToken cancellation)
    {
        var status = (int)response.StatusCode;
        if (status >= 500)
            return AuthorizerAnswer.Failure(string.Create(CultureInfo.InvariantCulture, $"it answered {status}"));
        var headers = response.Headers.NonValidated.Concat(response.Content.Headers.NonValidated).SelectMany(h => h.Value.Select(v => (h.Key, Value: v))).ToList();
        if (status == 200)
        {
            return new AuthorizerAnswer(AuthorizerVerdict.Allowed)
            {
                RequestHeaders = [.. headers.Where(h => rule.UpstreamOnAllow.Matches(h.Key)).GroupBy(h => h.Key, StringComparer.OrdinalIgnoreCase)
                    .SelectMany(g => g.Select((h, i) => new HeaderChange(h.Key, h.Value, i == 0 ? HeaderChangeKind.Set : HeaderChangeKind.Append)))],
                ResponseHeaders = [.. headers.Where(h => rule.DownstreamOnAllow.Matches(h.Key)).Select(h => new HeaderChange(h.Key, h.Value, HeaderChangeKind.Append))],
            };
        }

        return new AuthorizerAnswer(AuthorizerVerdict.Denied)
        {
            Status = status,
            Body = await response.Content.ReadAsByteArrayAsync(cancellation),
            ResponseHeaders = [.. headers.Where(h => PassesOnDeny(rule, h.Key)).Select(h => new HeaderChange(h.Key, h.Value, HeaderChangeKind.Append))],
        };
    }

    private static bool PassesOnDeny(HttpCheck rule, string name) => !NeverPassed.Contains(name)
        && (rule.DownstreamOnDeny?.Matches(name) != false || name.Equals("location", StringComparison.OrdinalIgnoreCase) || name.Equals("www-authenticate", StringComparison.OrdinalIgnoreCase));
}
