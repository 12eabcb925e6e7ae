using Google.Protobuf;
using Mesh.Model.Policy;
using Mesh.Xds.Wds;
using Proto = Istio.Security;

namespace Mesh.Xds.Tests.Wds;

/// <summary>A condition that cannot be read never makes a policy more permissive.</summary>
public sealed class PolicyDecoderTests
{
    private static readonly Proto.StringMatch Unreadable = new();
    private static readonly Proto.StringMatch Readable = new() { Exact = "a" };
    private static readonly Proto.Address BadBlock = new() { Address_ = ByteString.CopyFrom(10, 0, 0), Length = 8 };

    [Fact]
    public void Allow_WithAnUnreadableOnlyCondition_NeverMatches()
    {
        var match = Decode(Proto.Action.Allow, new Proto.Match { Principals = { Unreadable }, DestinationPorts = { 80 } });
        Assert.True(match.IsEmpty); // a match in which every list is empty never matches
    }

    [Fact]
    public void Allow_WithOneUnreadableAlternative_KeepsTheOther()
    {
        var match = Decode(Proto.Action.Allow, new Proto.Match { Principals = { Unreadable, Readable } });
        Assert.Equal([StringMatch.Exact("a")], match.Principals);
    }

    [Fact]
    public void Allow_WithAnUnreadableExclusion_NeverMatches() =>
        Assert.True(Decode(Proto.Action.Allow, new Proto.Match { Namespaces = { Readable }, NotSourceIps = { BadBlock } }).IsEmpty);

    [Fact]
    public void Deny_WithAnUnreadableCondition_TakesItAsFulfilled()
    {
        var match = Decode(Proto.Action.Deny, new Proto.Match { Principals = { Unreadable, Readable }, DestinationPorts = { 80 } });
        Assert.True(match.Principals.IsEmpty);
        Assert.Equal([(ushort)80], match.DestinationPorts);
    }

    [Fact]
    public void Deny_WithNothingReadable_MatchesEverything()
    {
        var match = Decode(Proto.Action.Deny, new Proto.Match { SourceIps = { BadBlock } });
        Assert.Equal(["0.0.0.0/0", "::/0"], match.SourceIps.Select(b => b.ToString()));
    }

    [Fact]
    public void Deny_WithAnUnreadableExclusion_DeniesWhatItWouldHaveSpared()
    {
        var match = Decode(Proto.Action.Deny, new Proto.Match { Namespaces = { Readable }, NotNamespaces = { Unreadable } });
        Assert.True(match.NotNamespaces.IsEmpty);
        Assert.Equal([StringMatch.Exact("a")], match.Namespaces);
    }

    [Fact]
    public void Policy_WithUnreadableConditions_IsReported()
    {
        var warnings = new List<string>();
        PolicyDecoder.Decode(Policy(Proto.Action.Allow, new Proto.Match { Principals = { Unreadable } }), warnings.Add);
        Assert.Contains("default/p", Assert.Single(warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void Policy_WithUnknownActionOrScope_IsRejected()
    {
        Assert.Throws<WdsRejectedException>(() => PolicyDecoder.Decode(new Proto.Authorization { Action = (Proto.Action)7 }));
        Assert.Throws<WdsRejectedException>(() => PolicyDecoder.Decode(new Proto.Authorization { Scope = (Proto.Scope)7 }));
    }

    [Fact]
    public void Policy_WithEmptyShapes_KeepsThem()
    {
        var policy = PolicyDecoder.Decode(new Proto.Authorization { Rules = { new Proto.Rule(), new Proto.Rule { Clauses = { new Proto.Clause() } } } });
        Assert.Equal(2, policy.Rules.Count);
        Assert.True(policy.Rules[0].Clauses.IsEmpty);
        Assert.True(policy.Rules[1].Clauses[0].Matches.IsEmpty);
    }

    private static PolicyMatch Decode(Proto.Action action, Proto.Match match) => PolicyDecoder.Decode(Policy(action, match)).Rules[0].Clauses[0].Matches[0];

    private static Proto.Authorization Policy(Proto.Action action, Proto.Match match) => new()
    {
        Name = "p",
        Namespace = "default",
        Action = action,
        Rules = { new Proto.Rule { Clauses = { new Proto.Clause { Matches = { match } } } } },
    };
}
