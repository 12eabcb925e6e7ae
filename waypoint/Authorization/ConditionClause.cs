using System.Globalization;
using System.Net;
using Mesh.Waypoint.Routing;

namespace Mesh.Waypoint.Authorization;

/// <summary>One <c>when</c> entry. A missing attribute never matches values and always matches notValues.</summary>
internal sealed class ConditionClause
{
    private readonly string _name;
    private readonly string[] _arguments;
    private readonly Pattern[] _values;
    private readonly Pattern[] _notValues;
    private readonly AddressRange[] _ranges = [];
    private readonly AddressRange[] _notRanges = [];

    /// <exception cref="ConfigurationException">A key that is not known: ignoring it would widen the policy.</exception>
    public ConditionClause(V1.Condition condition)
    {
        var bracket = condition.Key.IndexOf('[', StringComparison.Ordinal);
        _name = bracket < 0 ? condition.Key : condition.Key[..bracket];
        _arguments = bracket < 0 ? [] : condition.Key[(bracket + 1)..].TrimEnd(']').Split("][");
        _values = SourceClause.Patterns(condition.Values);
        _notValues = SourceClause.Patterns(condition.NotValues);
        switch (_name)
        {
            case "source.ip" or "remote.ip" or "destination.ip":
                _ranges = [.. condition.Values.Select(AddressRange.Parse)];
                _notRanges = [.. condition.NotValues.Select(AddressRange.Parse)];
                break;
            case "request.headers" or "request.auth.claims" when _arguments.Length > 0:
            case "source.namespace" or "source.principal" or "source.serviceAccount" or "source.trustDomain" or "destination.port" or "connection.sni":
            case "request.auth.principal" or "request.auth.audiences" or "request.auth.presenter":
                break;
            default:
                throw new ConfigurationException($"condition key \"{condition.Key}\" is not supported by this waypoint");
        }
    }

    public ClauseResult Evaluate(in PolicyFacts facts)
    {
        if (facts.Request is null && (_name.StartsWith("request.", StringComparison.Ordinal) || _name == "remote.ip"))
            return ClauseResult.NotApplicable;
        var holds = _name switch
        {
            "source.ip" => Holds(facts.Caller.Address.Address),
            "remote.ip" => Holds(facts.RemoteAddress()),
            "destination.ip" => Holds(facts.Original.Address),
            "destination.port" => Holds(facts.Original.Port.ToString(CultureInfo.InvariantCulture)),
            "source.principal" => Holds(facts.Caller.Principal),
            "source.namespace" => Holds(facts.Caller.Namespace),
            "source.serviceAccount" => Holds(facts.Caller.ServiceAccount is null ? null : $"{facts.Caller.Namespace}/{facts.Caller.ServiceAccount}"),
            "source.trustDomain" => Holds(facts.Caller.TrustDomain),
            // A waypoint ends no TLS of applications.
            "connection.sni" => Holds((string?)null),
            "request.headers" => HoldsAny(HeaderValues(facts.Request!)),
            "request.auth.principal" => Holds(facts.Claims?.Principal),
            "request.auth.presenter" => Holds(facts.Claims?.Presenter),
            "request.auth.audiences" => HoldsAny(facts.Claims?.Audiences ?? []),
            _ => HoldsAny(facts.Claims?.Values(_arguments) ?? []),
        };
        return holds ? ClauseResult.Holds : ClauseResult.DoesNotHold;
    }

    // Recorded: of several header lines any may match.
    private IEnumerable<string> HeaderValues(RequestFacts request) => request.Headers[_arguments[0]].Select(v => v ?? string.Empty);

    private bool Holds(string? value) => SourceClause.Field(_values, _notValues, value);

    private bool HoldsAny(IEnumerable<string> values)
    {
        var matched = _values.Length == 0;
        foreach (var value in values)
        {
            if (SourceClause.Any(_notValues, value))
                return false;
            matched |= SourceClause.Any(_values, value);
        }

        return matched;
    }

    private bool Holds(IPAddress address) =>
        (_ranges.Length == 0 || Array.Exists(_ranges, r => r.Contains(address))) && !Array.Exists(_notRanges, r => r.Contains(address));
}
