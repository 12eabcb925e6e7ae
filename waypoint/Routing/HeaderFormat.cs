using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Routing;

/// <summary>What a header value may refer to; response fields are set only when the response is there.</summary>
internal readonly record struct FormatFacts(
    RequestFacts Request,
    string Protocol,
    string DestinationAddress,
    int? ResponseCode = null,
    string? ResponseFlags = null,
    string? UpstreamHost = null,
    IHeaderDictionary? ResponseHeaders = null);

/// <summary>An Envoy format string: <c>%COMMAND(argument)%</c> is replaced, <c>%%</c> is a percent sign. Compiled once.</summary>
internal sealed class HeaderFormat
{
    private readonly record struct Part(string? Literal, string Command, string Argument);

    private readonly List<Part> _parts = [];
    private readonly string? _constant;

    /// <exception cref="ConfigurationException">A command that is not known or a percent sign that stands alone.</exception>
    public HeaderFormat(string format)
    {
        if (!format.Contains('%', StringComparison.Ordinal))
        {
            _constant = format;
            return;
        }

        for (var i = 0; i < format.Length;)
        {
            var percent = format.IndexOf('%', i);
            if (percent < 0)
            {
                _parts.Add(new Part(format[i..], string.Empty, string.Empty));
                break;
            }

            if (percent > i)
                _parts.Add(new Part(format[i..percent], string.Empty, string.Empty));
            var end = format.IndexOf('%', percent + 1);
            if (end < 0)
                throw new ConfigurationException($"header value \"{format}\": a percent sign stands alone; write %% for a literal one");
            var command = format[(percent + 1)..end];
            _parts.Add(command.Length == 0 ? new Part("%", string.Empty, string.Empty) : ParseCommand(command, format));
            i = end + 1;
        }
    }

    public string Expand(in FormatFacts facts)
    {
        if (_constant is not null)
            return _constant;
        var result = new StringBuilder();
        foreach (var part in _parts)
            result.Append(part.Literal ?? Value(part, facts));
        return result.ToString();
    }

    private static Part ParseCommand(string command, string format)
    {
        var open = command.IndexOf('(', StringComparison.Ordinal);
        var name = open < 0 ? command : command[..open];
        var argument = open < 0 ? string.Empty : command[(open + 1)..].TrimEnd(')');
        if (Array.IndexOf(Known, name) < 0)
            throw new ConfigurationException($"header value \"{format}\": the command %{name}% is not known here (known: {string.Join(", ", Known)})");
        return new Part(null, name, argument);
    }

    private static readonly string[] Known =
    [
        "REQ", "RESP", "DOWNSTREAM_REMOTE_ADDRESS", "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", "DOWNSTREAM_LOCAL_ADDRESS",
        "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", "DOWNSTREAM_LOCAL_PORT", "DOWNSTREAM_PEER_URI_SAN", "PROTOCOL", "RESPONSE_CODE",
        "RESPONSE_FLAGS", "UPSTREAM_HOST", "HOSTNAME", "ROUTE_NAME", "START_TIME",
    ];

    private static string? Value(in Part part, in FormatFacts facts) => part.Command switch
    {
        "REQ" => Header(facts, facts.Request.Headers, part.Argument),
        "RESP" => facts.ResponseHeaders is null ? null : HeaderMatcher.Join(facts.ResponseHeaders[part.Argument]),
        "DOWNSTREAM_REMOTE_ADDRESS" => facts.Request.Caller.Address.ToString(),
        "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT" => facts.Request.Caller.Address.Address.ToString(),
        "DOWNSTREAM_LOCAL_ADDRESS" => facts.DestinationAddress,
        "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT" => facts.DestinationAddress[..Math.Max(0, facts.DestinationAddress.LastIndexOf(':'))],
        "DOWNSTREAM_LOCAL_PORT" => facts.DestinationAddress[(facts.DestinationAddress.LastIndexOf(':') + 1)..],
        "DOWNSTREAM_PEER_URI_SAN" => facts.Request.Caller.Spiffe,
        "PROTOCOL" => facts.Protocol,
        "RESPONSE_CODE" => facts.ResponseCode?.ToString(CultureInfo.InvariantCulture),
        "RESPONSE_FLAGS" => facts.ResponseFlags,
        "UPSTREAM_HOST" => facts.UpstreamHost,
        "HOSTNAME" => Environment.MachineName,
        _ => null,
    };

    /// <summary><c>%REQ(first?alternative):maximum%</c>.</summary>
    private static string? Header(in FormatFacts facts, IHeaderDictionary headers, string argument)
    {
        var question = argument.IndexOf('?', StringComparison.Ordinal);
        var first = Pseudo(facts, headers, question < 0 ? argument : argument[..question]);
        return first is null && question >= 0 ? Pseudo(facts, headers, argument[(question + 1)..]) : first;
    }

    private static string? Pseudo(in FormatFacts facts, IHeaderDictionary headers, string name) => name.ToLowerInvariant() switch
    {
        ":path" => facts.Request.Path + (facts.Request.HasQuery ? "?" + facts.Request.Query : string.Empty),
        ":method" => facts.Request.Method,
        ":authority" or "host" => facts.Request.Authority,
        ":scheme" => facts.Request.Scheme,
        var other => headers.TryGetValue(other, out var values) ? HeaderMatcher.Join(values) : null,
    };
}
