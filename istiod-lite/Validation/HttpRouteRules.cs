using System.Collections.Frozen;
using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Validation;

/// <summary>One entry of VirtualService.http.</summary>
internal static class HttpRouteRules
{
    private static readonly FrozenSet<string> _retryOn = FrozenSet.ToFrozenSet(
    [
        "5xx", "gateway-error", "reset", "reset-before-request", "connect-failure", "envoy-ratelimited", "retriable-4xx", "refused-stream", "retriable-status-codes",
        "retriable-headers", "http3-post-connect-failure", "cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable",
    ], StringComparer.Ordinal);

    private static readonly FrozenSet<string> _methods = FrozenSet.ToFrozenSet(
        ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "*"], StringComparer.Ordinal);

    private const int LargestBody = 1 << 20;

    public static void Check(Field route, bool isDelegate, DocumentFaults faults)
    {
        Action(route, isDelegate, faults);
        foreach (var match in route["match"].Items)
            Match(match, faults);
        VirtualServiceRules.Weights(route["route"], faults);
        foreach (var entry in route["route"].Items)
        {
            VirtualServiceRules.Destination(entry["destination"], faults);
            Headers(entry["headers"], faults);
        }
        Headers(route["headers"], faults);
        Redirect(route["redirect"], faults);
        Rewrite(route["rewrite"], faults);
        Response(route["directResponse"], faults);
        Fault(route["fault"], faults);
        Retries(route["retries"], faults);
        Cors(route["corsPolicy"], faults);
        Mirrors(route, faults);
    }

    private static void Action(Field route, bool isDelegate, DocumentFaults faults)
    {
        if (route["delegate"].Exists)
        {
            if (isDelegate)
                faults.Refuse(route["delegate"], "stands in a VirtualService without hosts: what was delegated is not delegated again", "write the routes here");
            foreach (var name in (ReadOnlySpan<string>)["route", "redirect", "directResponse"])
            {
                if (route[name].Exists)
                    faults.Refuse(route[name], "stands beside delegate", "keep one of the two");
            }
            return;
        }
        var actions = (route["route"].Count > 0 ? 1 : 0) + (route["redirect"].Exists ? 1 : 0) + (route["directResponse"].Exists ? 1 : 0);
        if (actions == 0)
            faults.Refuse(route, "has none of route, redirect and directResponse", "say what happens with the requests");
        else if (actions > 1)
            faults.Refuse(route, "has more than one of route, redirect and directResponse", "keep one");
        if (route["rewrite"].Exists && (route["redirect"].Exists || route["directResponse"].Exists))
            faults.Refuse(route["rewrite"], "is only for requests that are sent on", "remove it");
    }

    private static void Match(Field match, DocumentFaults faults)
    {
        foreach (var name in (ReadOnlySpan<string>)["uri", "scheme", "method", "authority"])
            CommonRules.Pattern(match[name], faults);
        foreach (var name in (ReadOnlySpan<string>)["headers", "withoutHeaders", "queryParams"])
        {
            foreach (var (key, value) in match[name].Entries)
            {
                if (key.Length == 0)
                    faults.Refuse(match[name], "has an entry without a name", "name it");
                CommonRules.Pattern(value, faults);
            }
        }
        CommonRules.Labels(match["sourceLabels"], faults);
    }

    private static void Headers(Field headers, DocumentFaults faults)
    {
        foreach (var direction in (ReadOnlySpan<string>)["request", "response"])
        {
            var operations = headers[direction];
            foreach (var (key, value) in operations["set"].Entries.Concat(operations["add"].Entries))
            {
                if (!IsHeader(key))
                    faults.Refuse(value, $"sets the header \"{key}\", which is no header name", "correct the name");
            }
            foreach (var name in operations["remove"].Items.Where(n => !IsHeader(n.Text)))
                faults.Refuse(name, $"is \"{name.Text}\", which is no header name", "correct the name");
        }
    }

    /// <summary>RFC 9110, section 5.1: a token; ":authority" and the like may be set, too.</summary>
    private static bool IsHeader(string name)
    {
        var token = name.StartsWith(':') ? name[1..] : name;
        return token.Length > 0 && token.All(c => char.IsAsciiLetterOrDigit(c) || "!#$%&'*+-.^_`|~".Contains(c, StringComparison.Ordinal));
    }

    private static void Redirect(Field redirect, DocumentFaults faults)
    {
        if (!redirect.Exists)
            return;
        if (!redirect.HasAny("uri", "authority", "scheme", "port", "derivePort", "prefixRewrite"))
            faults.Refuse(redirect, "says nothing", "give uri, authority, scheme or port");
        if (redirect["scheme"].Text is not ("" or "http" or "https"))
            faults.Refuse(redirect["scheme"], $"is {redirect["scheme"].Text}", "use http or https");
    }

    private static void Rewrite(Field rewrite, DocumentFaults faults)
    {
        if (!rewrite.Exists)
            return;
        var regex = rewrite["uriRegexRewrite"];
        if (!rewrite.HasAny("uri", "authority", "uriRegexRewrite"))
            faults.Refuse(rewrite, "says nothing", "give uri, uriRegexRewrite or authority");
        if (rewrite["uri"].Text.Length > 0 && regex.Exists)
            faults.Refuse(rewrite, "has both uri and uriRegexRewrite", "keep one");
        if (!regex.Exists)
            return;
        if (regex["match"].Text.Length == 0 || regex["rewrite"].Text.Length == 0)
            faults.Refuse(regex, "needs match and rewrite", "add what is missing");
        else if (Syntax.RegexFault(regex["match"].Text) is { } fault)
            faults.Refuse(regex["match"], $"is no RE2 expression: {fault}", "correct it; RE2 has neither look-around nor back-references");
    }

    private static void Response(Field response, DocumentFaults faults)
    {
        if (!response.Exists)
            return;
        CommonRules.Range(response["status"], 200, 599, faults);
        if (!response["status"].Exists)
            faults.Refuse(response, "has no status", "add status");
        if (response["body"]["string"].Text.Length > LargestBody)
            faults.Refuse(response["body"], $"is larger than {LargestBody} bytes", "shorten it");
    }

    private static void Fault(Field fault, DocumentFaults faults)
    {
        if (!fault.Exists)
            return;
        var (delay, abort) = (fault["delay"], fault["abort"]);
        if (!delay.Exists && !abort.Exists)
            faults.Refuse(fault, "has neither delay nor abort", "add one of them");
        CommonRules.Percentage(delay["percentage"], faults);
        CommonRules.Percentage(abort["percentage"], faults);
        if (delay.Exists && !delay["fixedDelay"].Exists)
            faults.Refuse(delay, "has no fixedDelay", "add fixedDelay");
        if (!abort.Exists)
            return;
        if (!abort.HasAny("httpStatus", "grpcStatus", "http2Error"))
            faults.Refuse(abort, "has neither httpStatus nor grpcStatus", "add one of them");
        if (abort["http2Error"].Exists)
            faults.Refuse(abort["http2Error"], "cannot be injected", "use httpStatus");
        if (abort["grpcStatus"].Exists && !GrpcStatusNames.IsKnown(abort["grpcStatus"].Text))
            faults.Refuse(abort["grpcStatus"], $"is \"{abort["grpcStatus"].Text}\", which is no status of gRPC", "use a name such as UNAVAILABLE");
    }

    private static void Retries(Field retries, DocumentFaults faults)
    {
        if (!retries.Exists)
            return;
        var retryOn = retries["retryOn"];
        if (retries["attempts"].Number is 0 && retries.HasAny("perTryTimeout", "retryOn", "retryRemoteLocalities"))
            faults.Refuse(retries, "has attempts: 0, which switches retries off, and settings for them", "remove the settings, or allow attempts");
        foreach (var word in retryOn.Text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var isStatus = int.TryParse(word, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var status) && status is >= 100 and < 600;
            if (!isStatus && !_retryOn.Contains(word))
                faults.Refuse(retryOn, $"has \"{word}\", which is no reason to retry", $"use a status, or of {string.Join(", ", _retryOn.Order(StringComparer.Ordinal))}");
        }
    }

    private static void Cors(Field cors, DocumentFaults faults)
    {
        foreach (var origin in cors["allowOrigins"].Items)
            CommonRules.Pattern(origin, faults);
        foreach (var method in cors["allowMethods"].Items.Where(m => !_methods.Contains(m.Text)))
            faults.Refuse(method, $"is \"{method.Text}\", which is no HTTP method", $"use of {string.Join(", ", _methods.Order(StringComparer.Ordinal))}");
        foreach (var header in cors["allowHeaders"].Items.Concat(cors["exposeHeaders"].Items).Where(h => !IsHeader(h.Text)))
            faults.Refuse(header, $"is \"{header.Text}\", which is no header name", "correct the name");
    }

    private static void Mirrors(Field route, DocumentFaults faults)
    {
        if (route["mirror"].Exists && route["mirrors"].Count > 0)
            faults.Refuse(route, "has both mirror and mirrors", "keep mirrors");
        VirtualServiceRules.Destination(route["mirror"], faults);
        CommonRules.Percentage(route["mirrorPercentage"], faults);
        foreach (var mirror in route["mirrors"].Items)
        {
            if (!mirror["destination"].Exists)
                faults.Refuse(mirror, "has no destination", "add destination with a host");
            VirtualServiceRules.Destination(mirror["destination"], faults);
            CommonRules.Percentage(mirror["percentage"], faults);
        }
    }
}
