using System.Net;
using Mesh.Model.Collections;

namespace Mesh.Model.Policy;

/// <summary>The facts of a connection with its principals spelled out for matching.</summary>
internal readonly ref struct PolicySubject(ConnectionFacts facts, ReadOnlySpan<char> first, ReadOnlySpan<char> second)
{
    public readonly ConnectionFacts Facts = facts;
    private readonly ReadOnlySpan<char> _first = first;
    private readonly ReadOnlySpan<char> _second = second;

    public int Identities => Facts.SourceIdentities.Count;

    public ReadOnlySpan<char> Principal(int index) => index == 0 ? _first : _second;
}

/// <summary>Rules are alternatives, clauses must all hold, matches are alternatives, the lists within a match must all hold.</summary>
internal static class PolicyMatcher
{
    public static bool Matches(AuthorizationPolicy policy, in PolicySubject subject)
    {
        foreach (var rule in policy.Rules)
        {
            if (FirstFailedClause(rule, subject) < 0)
                return true;
        }

        return false;
    }

    /// <summary>-1 when the rule matches.</summary>
    public static int FirstFailedClause(PolicyRule rule, in PolicySubject subject)
    {
        for (var i = 0; i < rule.Clauses.Count; i++)
        {
            if (!Matches(rule.Clauses[i], subject))
                return i;
        }

        return -1;
    }

    public static bool Matches(PolicyClause clause, in PolicySubject subject)
    {
        if (clause.Matches.IsEmpty)
            return true;
        foreach (var match in clause.Matches)
        {
            if (FirstFailedField(match, subject) is null)
                return true;
        }

        return false;
    }

    /// <summary>The name of the first list that does not hold, null when the match holds.</summary>
    public static string? FirstFailedField(PolicyMatch match, in PolicySubject subject)
    {
        if (match.IsEmpty)
            return "(empty)";
        if (!match.Namespaces.IsEmpty && !AnyNamespace(match.Namespaces, subject))
            return "namespaces";
        if (!match.NotNamespaces.IsEmpty && AnyNamespace(match.NotNamespaces, subject))
            return "not_namespaces";
        if (!match.Principals.IsEmpty && !AnyPrincipal(match.Principals, subject))
            return "principals";
        if (!match.NotPrincipals.IsEmpty && AnyPrincipal(match.NotPrincipals, subject))
            return "not_principals";
        if (!match.ServiceAccounts.IsEmpty && !AnyAccount(match.ServiceAccounts, subject))
            return "service_accounts";
        if (!match.NotServiceAccounts.IsEmpty && AnyAccount(match.NotServiceAccounts, subject))
            return "not_service_accounts";
        if (!match.SourceIps.IsEmpty && !AnyPrefix(match.SourceIps, subject.Facts.SourceAddress))
            return "source_ips";
        if (!match.NotSourceIps.IsEmpty && AnyPrefix(match.NotSourceIps, subject.Facts.SourceAddress))
            return "not_source_ips";
        if (!match.DestinationIps.IsEmpty && !AnyPrefix(match.DestinationIps, subject.Facts.DestinationAddress))
            return "destination_ips";
        if (!match.NotDestinationIps.IsEmpty && AnyPrefix(match.NotDestinationIps, subject.Facts.DestinationAddress))
            return "not_destination_ips";
        if (!match.DestinationPorts.IsEmpty && !match.DestinationPorts.AsSpan().Contains(subject.Facts.DestinationPort))
            return "destination_ports";
        return !match.NotDestinationPorts.IsEmpty && match.NotDestinationPorts.AsSpan().Contains(subject.Facts.DestinationPort) ? "not_destination_ports" : null;
    }

    /// <summary>Plaintext has the empty namespace.</summary>
    private static bool AnyNamespace(ValueList<StringMatch> patterns, in PolicySubject subject)
    {
        if (subject.Identities == 0)
            return AnyText(patterns, default);
        for (var i = 0; i < subject.Identities; i++)
        {
            if (AnyText(patterns, subject.Facts.SourceIdentities[i].Namespace))
                return true;
        }

        return false;
    }

    /// <summary>Plaintext has no principal at all: not even presence holds.</summary>
    private static bool AnyPrincipal(ValueList<StringMatch> patterns, in PolicySubject subject)
    {
        for (var i = 0; i < subject.Identities; i++)
        {
            if (AnyText(patterns, subject.Principal(i)))
                return true;
        }

        return false;
    }

    private static bool AnyAccount(ValueList<ServiceAccountMatch> accounts, in PolicySubject subject)
    {
        for (var i = 0; i < subject.Identities; i++)
        {
            var identity = subject.Facts.SourceIdentities[i];
            foreach (var account in accounts)
            {
                if (account.Namespace == identity.Namespace && account.ServiceAccount == identity.ServiceAccount)
                    return true;
            }
        }

        return false;
    }

    private static bool AnyText(ValueList<StringMatch> patterns, ReadOnlySpan<char> text)
    {
        foreach (var pattern in patterns)
        {
            if (pattern.Matches(text))
                return true;
        }

        return false;
    }

    private static bool AnyPrefix(ValueList<IpPrefix> prefixes, IPAddress address)
    {
        foreach (var prefix in prefixes)
        {
            if (prefix.Contains(address))
                return true;
        }

        return false;
    }
}
