using System.Globalization;

namespace Mesh.Model.Expressions;

/// <summary>A piece of an access log format, Envoy's: a literal, or <c>%COMMAND(argument):length%</c>.</summary>
public sealed record LogFormatPart(string? Literal, string Command = "", string Argument = "", int Length = int.MaxValue)
{
    private static readonly string[] Numbers = ["RESPONSE_CODE", "BYTES_RECEIVED", "BYTES_SENT", "DURATION", "GRPC_STATUS_NUMBER", "UPSTREAM_REQUEST_ATTEMPT_COUNT"];

    private static readonly string[] Known =
    [
        "START_TIME", "REQ", "RESP", "PROTOCOL", "RESPONSE_CODE", "RESPONSE_FLAGS", "RESPONSE_CODE_DETAILS", "CONNECTION_TERMINATION_DETAILS",
        "UPSTREAM_TRANSPORT_FAILURE_REASON", "BYTES_RECEIVED", "BYTES_SENT", "DURATION", "UPSTREAM_HOST", "UPSTREAM_CLUSTER", "UPSTREAM_CLUSTER_RAW",
        "UPSTREAM_LOCAL_ADDRESS", "DOWNSTREAM_LOCAL_ADDRESS", "DOWNSTREAM_REMOTE_ADDRESS", "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
        "DOWNSTREAM_PEER_URI_SAN", "REQUESTED_SERVER_NAME", "ROUTE_NAME", "GRPC_STATUS_NUMBER", "UPSTREAM_REQUEST_ATTEMPT_COUNT", "HOSTNAME", "TRACE_ID",
    ];

    public bool IsNumber => Array.IndexOf(Numbers, Command) >= 0;

    /// <exception cref="ExpressionException">A command that is not known, or a percent sign that stands alone.</exception>
    public static LogFormatPart[] Parse(string format)
    {
        var parts = new List<LogFormatPart>();
        for (var i = 0; i < format.Length;)
        {
            var percent = format.IndexOf('%', i);
            if (percent < 0)
            {
                parts.Add(new LogFormatPart(format[i..]));
                break;
            }

            if (percent > i)
                parts.Add(new LogFormatPart(format[i..percent]));
            var end = format.IndexOf('%', percent + 1);
            if (end < 0)
                throw new ExpressionException($"access log format \"{format}\": a percent sign stands alone; write %% for a literal one");
            parts.Add(end == percent + 1 ? new LogFormatPart("%") : ParseCommand(format[(percent + 1)..end]));
            i = end + 1;
        }

        return [.. parts];
    }

    private static LogFormatPart ParseCommand(string text)
    {
        var open = text.IndexOf('(', StringComparison.Ordinal);
        var close = text.LastIndexOf(')');
        var rest = close < 0 ? text : text[(close + 1)..];
        var colon = rest.IndexOf(':', StringComparison.Ordinal);
        var length = int.MaxValue;
        if (colon >= 0 && !int.TryParse(rest.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out length))
            throw new ExpressionException($"access log format: in %{text}% a number is needed after the colon");
        var name = open >= 0 ? text[..open] : colon >= 0 ? rest[..colon] : text;
        var argument = open >= 0 && close > open ? text[(open + 1)..close] : string.Empty;
        if (Array.IndexOf(Known, name) < 0)
            throw new ExpressionException($"access log format: the command %{name}% is not known here (known: {string.Join(", ", Known)})");
        if (argument.Length == 0 != name is not ("REQ" or "RESP"))
            throw new ExpressionException($"access log format: %{name}% {(argument.Length == 0 ? "needs the name of a header" : "takes no argument here")}");
        return new LogFormatPart(null, name, argument.ToLowerInvariant(), length);
    }
}
