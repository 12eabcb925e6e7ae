using Mesh.Waypoint.Routing;

namespace Mesh.Waypoint.Authorization;

/// <summary>The <c>from</c> part: every field must hold, any value of a field may.</summary>
internal sealed class SourceClause
{
    private readonly Pattern[] _principals;
    private readonly Pattern[] _notPrincipals;
    private readonly Pattern[] _requestPrincipals;
    private readonly Pattern[] _notRequestPrincipals;
    private readonly Pattern[] _namespaces;
    private readonly Pattern[] _notNamespaces;
    private readonly Pattern[] _accounts;
    private readonly Pattern[] _notAccounts;
    private readonly Pattern[] _trustDomains;
    private readonly Pattern[] _notTrustDomains;
    private readonly AddressRange[] _addresses;
    private readonly AddressRange[] _notAddresses;
    private readonly AddressRange[] _remote;
    private readonly AddressRange[] _notRemote;

    public SourceClause(V1.Source source)
    {
        _principals = Patterns(source.Principals);
        _notPrincipals = Patterns(source.NotPrincipals);
        _requestPrincipals = Patterns(source.RequestPrincipals);
        _notRequestPrincipals = Patterns(source.NotRequestPrincipals);
        _namespaces = Patterns(source.Namespaces);
        _notNamespaces = Patterns(source.NotNamespaces);
        _accounts = Patterns(source.ServiceAccounts);
        _notAccounts = Patterns(source.NotServiceAccounts);
        _trustDomains = Patterns(source.TrustDomains);
        _notTrustDomains = Patterns(source.NotTrustDomains);
        _addresses = [.. source.IpBlocks.Select(AddressRange.Parse)];
        _notAddresses = [.. source.NotIpBlocks.Select(AddressRange.Parse)];
        _remote = [.. source.RemoteIpBlocks.Select(AddressRange.Parse)];
        _notRemote = [.. source.NotRemoteIpBlocks.Select(AddressRange.Parse)];
    }

    public ClauseResult Evaluate(in PolicyFacts facts)
    {
        var caller = facts.Caller;
        if (!Field(_principals, _notPrincipals, caller.Principal)
            || !Field(_namespaces, _notNamespaces, caller.Namespace)
            || !Field(_accounts, _notAccounts, caller.QualifiedAccount)
            || !Field(_trustDomains, _notTrustDomains, caller.TrustDomain)
            || !Field(_addresses, _notAddresses, caller.Address.Address))
            return ClauseResult.DoesNotHold;

        if (_requestPrincipals.Length + _notRequestPrincipals.Length + _remote.Length + _notRemote.Length == 0)
            return ClauseResult.Holds;
        if (facts.Request is null)
            return ClauseResult.NotApplicable;
        return Field(_requestPrincipals, _notRequestPrincipals, facts.Claims?.Principal)
            && (_remote.Length + _notRemote.Length == 0 || Field(_remote, _notRemote, facts.RemoteAddress()))
            ? ClauseResult.Holds
            : ClauseResult.DoesNotHold;
    }

    internal static Pattern[] Patterns(IEnumerable<string> values, bool ignoreCase = false) => [.. values.Select(v => new Pattern(v, ignoreCase))];

    internal static bool Field(Pattern[] any, Pattern[] none, string? value) =>
        (any.Length == 0 || Any(any, value)) && !Any(none, value);

    internal static bool Any(Pattern[] patterns, string? value)
    {
        foreach (var pattern in patterns)
        {
            if (pattern.Matches(value))
                return true;
        }

        return false;
    }

    private static bool Field(AddressRange[] any, AddressRange[] none, System.Net.IPAddress value) =>
        (any.Length == 0 || Contains(any, value)) && !Contains(none, value);

    private static bool Contains(AddressRange[] ranges, System.Net.IPAddress value)
    {
        foreach (var range in ranges)
        {
            if (range.Contains(value))
                return true;
        }

        return false;
    }
}

/// <summary>The <c>to</c> part.</summary>
internal sealed class OperationClause
{
    private readonly Pattern[] _hosts;
    private readonly Pattern[] _notHosts;
    private readonly Pattern[] _ports;
    private readonly Pattern[] _notPorts;
    private readonly Pattern[] _methods;
    private readonly Pattern[] _notMethods;
    private readonly PathPattern[] _paths;
    private readonly PathPattern[] _notPaths;

    public OperationClause(V1.Operation operation)
    {
        _hosts = SourceClause.Patterns(operation.Hosts, ignoreCase: true);
        _notHosts = SourceClause.Patterns(operation.NotHosts, ignoreCase: true);
        _ports = SourceClause.Patterns(operation.Ports);
        _notPorts = SourceClause.Patterns(operation.NotPorts);
        _methods = SourceClause.Patterns(operation.Methods);
        _notMethods = SourceClause.Patterns(operation.NotMethods);
        _paths = [.. operation.Paths.Select(p => new PathPattern(p))];
        _notPaths = [.. operation.NotPaths.Select(p => new PathPattern(p))];
    }

    public ClauseResult Evaluate(in PolicyFacts facts)
    {
        if (_ports.Length + _notPorts.Length > 0
            && !SourceClause.Field(_ports, _notPorts, facts.Original.Port.ToString(System.Globalization.CultureInfo.InvariantCulture)))
            return ClauseResult.DoesNotHold;
        if (_hosts.Length + _notHosts.Length + _methods.Length + _notMethods.Length + _paths.Length + _notPaths.Length == 0)
            return ClauseResult.Holds;
        if (facts.Request is not { } request)
            return ClauseResult.NotApplicable;
        return SourceClause.Field(_hosts, _notHosts, request.Authority)
            && SourceClause.Field(_methods, _notMethods, request.Method)
            && (_paths.Length == 0 || Any(_paths, request.Path))
            && !Any(_notPaths, request.Path)
            ? ClauseResult.Holds
            : ClauseResult.DoesNotHold;
    }

    private static bool Any(PathPattern[] patterns, string path)
    {
        foreach (var pattern in patterns)
        {
            if (pattern.Matches(path))
                return true;
        }

        return false;
    }
}
