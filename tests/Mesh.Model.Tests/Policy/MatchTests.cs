using System.Net;
using Mesh.Model.Policy;
using static Mesh.Model.Tests.TestMesh;

namespace Mesh.Model.Tests.Policy;

/// <summary>One condition at a time, for a caller in plaintext, one with an identity, and another one.</summary>
public sealed class MatchTests
{
    private static readonly SpiffeId Caller = new("td", "namespace", "account");
    private static readonly SpiffeId Other = new("td", "other-namespace", "other-account");

    public static TheoryData<string, PolicyMatch, bool, bool, bool> Conditions => new()
    {
        // name, match, plaintext, caller, other
        { "namespaces", new() { Namespaces = [StringMatch.Exact("namespace")] }, false, true, false },
        { "not_namespaces", new() { NotNamespaces = [StringMatch.Exact("namespace")] }, true, false, true },
        { "namespaces, empty for plaintext", new() { Namespaces = [StringMatch.Exact("")] }, true, false, false },
        { "namespaces presence", new() { Namespaces = [StringMatch.Presence] }, false, true, true },
        { "principals", new() { Principals = [StringMatch.Exact("td/ns/namespace/sa/account")] }, false, true, false },
        { "not_principals", new() { NotPrincipals = [StringMatch.Exact("td/ns/namespace/sa/account")] }, true, false, true },
        { "principals presence", new() { Principals = [StringMatch.Presence] }, false, true, true },
        { "not_principals presence: strict mutual TLS as a DENY", new() { NotPrincipals = [StringMatch.Presence] }, true, false, false },
        { "principals, empty prefix still needs an identity", new() { Principals = [StringMatch.Prefix("")] }, false, true, true },
        { "principals with scheme never match exactly", new() { Principals = [StringMatch.Exact("spiffe://td/ns/namespace/sa/account")] }, false, false, false },
        { "service_accounts", new() { ServiceAccounts = [new("namespace", "account")] }, false, true, false },
        { "not_service_accounts", new() { NotServiceAccounts = [new("namespace", "account")] }, true, false, true },
        { "service_accounts needs both names", new() { ServiceAccounts = [new("namespace", "other-account"), new("other-namespace", "account")] }, false, false, false },
        { "source_ips", new() { SourceIps = [IpPrefix.Parse("127.0.0.1/32")] }, true, true, false },
        { "not_source_ips", new() { NotSourceIps = [IpPrefix.Parse("127.0.0.1/32")] }, false, false, true },
        { "source_ips, block", new() { SourceIps = [IpPrefix.Parse("127.0.0.0/24")] }, true, true, false },
        { "destination_ips", new() { DestinationIps = [IpPrefix.Parse("127.0.0.2")] }, true, true, false },
        { "not_destination_ips", new() { NotDestinationIps = [IpPrefix.Parse("127.0.0.2")] }, false, false, true },
        { "destination_ports", new() { DestinationPorts = [8080, 9090] }, true, true, false },
        { "not_destination_ports", new() { NotDestinationPorts = [8080] }, false, false, true },
        { "all lists of a match must hold", new() { DestinationPorts = [8080], Namespaces = [StringMatch.Exact("namespace")], NotPrincipals = [StringMatch.Suffix("/other")] }, false, true, false },
        { "positive and negative of one kind", new() { Namespaces = [StringMatch.Suffix("namespace")], NotNamespaces = [StringMatch.Prefix("other")] }, false, true, false },
        { "nothing at all", new(), false, false, false },
    };

    [Theory]
    [MemberData(nameof(Conditions))]
    public void Condition_AloneInADeny_Decides(string name, PolicyMatch match, bool plaintext, bool caller, bool other)
    {
        Assert.NotEmpty(name);
        Assert.Equal(plaintext, IsDenied(match, Facts(SourceIdentities.None)));
        Assert.Equal(caller, IsDenied(match, Facts(Caller)));
        Assert.Equal(other, IsDenied(match, Facts(Other, "127.0.1.1", "127.0.1.2", 80)));
    }

    [Theory]
    [InlineData(StringMatchKind.Exact, "abc", "abc", true)]
    [InlineData(StringMatchKind.Exact, "abc", "ABC", false)]
    [InlineData(StringMatchKind.Exact, "abc", "abcd", false)]
    [InlineData(StringMatchKind.Prefix, "abc", "abcd", true)]
    [InlineData(StringMatchKind.Prefix, "abc", "Abcd", false)]
    [InlineData(StringMatchKind.Prefix, "abc", "xabc", false)]
    [InlineData(StringMatchKind.Suffix, "abc", "xabc", true)]
    [InlineData(StringMatchKind.Suffix, "abc", "xabC", false)]
    [InlineData(StringMatchKind.Suffix, "abc", "abcx", false)]
    [InlineData(StringMatchKind.Presence, "", "a", true)]
    [InlineData(StringMatchKind.Presence, "", "", false)]
    public void StringMatch_IsCaseSensitiveAndWhole(StringMatchKind kind, string value, string text, bool expected) =>
        Assert.Equal(expected, new StringMatch(kind, value).Matches(text));

    /// <summary>A waypoint speaks for a client: both are sources.</summary>
    [Fact]
    public void TwoIdentities_PositiveHoldsForAny_NegativeOnlyForNone()
    {
        var both = Facts(new SourceIdentities(Caller, Other));
        Assert.True(IsDenied(new() { Principals = [StringMatch.Exact(Caller.Principal)] }, both));
        Assert.True(IsDenied(new() { Principals = [StringMatch.Exact(Other.Principal)] }, both));
        Assert.False(IsDenied(new() { Principals = [StringMatch.Exact("td/ns/third/sa/x")] }, both));
        Assert.False(IsDenied(new() { NotPrincipals = [StringMatch.Exact(Other.Principal)] }, both));
        Assert.False(IsDenied(new() { NotPrincipals = [StringMatch.Exact(Caller.Principal)] }, both));
        Assert.True(IsDenied(new() { NotPrincipals = [StringMatch.Exact("td/ns/third/sa/x")] }, both));
        Assert.True(IsDenied(new() { Namespaces = [StringMatch.Exact("other-namespace")] }, both));
        Assert.False(IsDenied(new() { NotNamespaces = [StringMatch.Exact("other-namespace")] }, both));
        Assert.True(IsDenied(new() { ServiceAccounts = [new("other-namespace", "other-account")] }, both));
        Assert.False(IsDenied(new() { NotServiceAccounts = [new("other-namespace", "other-account")] }, both));
    }

    [Fact]
    public void LongPrincipal_BeyondTheStackBuffer_StillMatches()
    {
        var id = new SpiffeId(new string('t', 300), "ns", "sa");
        Assert.True(IsDenied(new() { Principals = [StringMatch.Suffix("/ns/ns/sa/sa")] }, Facts(id)));
        Assert.True(IsDenied(new() { Principals = [StringMatch.Exact(Caller.Principal)] }, Facts(new SourceIdentities(id, Caller))));
    }

    internal static ConnectionFacts Facts(SourceIdentities identities, string source = "127.0.0.1", string destination = "127.0.0.2", ushort port = 8080) => new()
    {
        SourceIdentities = identities,
        SourceAddress = IPAddress.Parse(source),
        DestinationAddress = IPAddress.Parse(destination),
        DestinationPort = port,
    };

    private static bool IsDenied(PolicyMatch match, ConnectionFacts facts)
    {
        var snapshot = MeshSnapshot.Empty().With(APolicy("p", PolicyAction.Deny, matches: match));
        return !PolicyEvaluator.Evaluate(snapshot, Pod("a"), facts).Allowed;
    }
}
