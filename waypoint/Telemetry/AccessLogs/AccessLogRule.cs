using Mesh.Model.Expressions;

namespace Mesh.Waypoint.Telemetry.AccessLogs;

/// <summary>What Telemetry resources say about the access log of one service, compiled.</summary>
internal sealed class AccessLogRule
{
    private readonly Expression? _filter;

    /// <exception cref="ConfigurationException">The filter or a format cannot be read.</exception>
    public AccessLogRule(V1.AccessLog log)
    {
        Format = log.Text.Length > 0 ? LogLineFormat.OfText(log.Text, log.OmitEmpty)
            : log.Fields.Count > 0 ? LogLineFormat.OfFields(log.Fields.Select(f => (f.Name, f.Format)), log.OmitEmpty)
            : null;
        _filter = Parse(log.Filter);
    }

    /// <summary>Null: the waypoint's own lines.</summary>
    public LogLineFormat? Format { get; }

    public bool Takes(Exchange exchange) => _filter is null || _filter.Holds(new RequestAttributes(exchange));

    public bool Takes(ConnectionReport report) => _filter is null || _filter.Holds(new ConnectionAttributes(report));

    private static Expression? Parse(string filter)
    {
        if (filter.Length == 0)
            return null;
        try
        {
            var expression = Expression.Parse(filter);
            return expression.Type == ExpressionType.Flag ? expression : throw new ConfigurationException($"the access log filter \"{filter}\" is no condition");
        }
        catch (ExpressionException e)
        {
            throw new ConfigurationException(e.Message);
        }
    }
}
