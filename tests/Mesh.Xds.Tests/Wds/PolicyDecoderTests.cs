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

    /// <summary>Field 100, a varint: nothing that we know has it.</summary>
    private static T Strange<T>(T message)
        where T : IMessage<T> => (T)message.Descriptor.Parser.ParseFrom([.. message.ToByteArray(), 0xa0, 0x06, 0x01]);

    private static Proto.Authorization Policy(Proto.Action action, Proto.Rule rule) => new() { Name = "p", Namespace = "ns", Action = action, Rules = { rule } };

    private static Proto.Rule Rule(Proto.Match match) => new() { Clauses = { new Proto.Clause { Matches = { match } } } };

    public static TheoryData<string> Places => ["policy", "rule", "clause", "match", "string", "extension"];

    /// <summary>Would match a connection from namespace "a", were it not for the strange field.</summary>
    private static Proto.Authorization StrangeAt(string place, Proto.Action action)
    {
        var match = new Proto.Match { Namespaces = { place == "string" ? Strange(Readable.Clone()) : Readable } };
        if (place == "extension")
            match.Extensions.Add(new Istio.Workload.Extension { Name = "x" });
        var clause = new Proto.Clause { Matches = { place == "match" ? Strange(match) : match } };
        var rule = new Proto.Rule { Clauses = { place == "clause" ? Strange(clause) : clause } };
        var policy = Policy(action, place == "rule" ? Strange(rule) : rule);
        return place == "policy" ? Strange(policy) : policy;
    }

    private static bool LetsPass(AuthorizationPolicy policy)
    {
        var workload = new Mesh.Model.Workloads.Workload { Uid = "w", Name = "w", Namespace = "ns", ServiceAccount = "w" };
        var state = new Mesh.Model.MeshState();
        state.Apply(new Mesh.Model.MeshUpdate { Policies = { KeyValuePair.Create("ns/p", policy with { Scope = PolicyScope.Namespace }) } });
        return PolicyEvaluator.Evaluate(state.Current, workload, new ConnectionFacts
        {
            SourceIdentities = new SourceIdentities(new Mesh.Model.SpiffeId("td", "a", "sa")),
            SourceAddress = System.Net.IPAddress.Loopback,
            DestinationAddress = System.Net.IPAddress.Loopback,
            DestinationPort = 80,
        }).Allowed;
    }

    [Theory]
    [MemberData(nameof(Places))]
    public void UnknownField_LetsNobodyIn_AndForbidsWithoutIt(string place)
    {
        List<string> warnings = [];
        var allow = PolicyDecoder.Decode(StrangeAt(place, Proto.Action.Allow), warnings.Add);
        Assert.False(LetsPass(allow));
        Assert.Equal(1, allow.UnreadableConditions);
        Assert.Contains("ns/p", Assert.Single(warnings), StringComparison.Ordinal);
        Assert.False(LetsPass(PolicyDecoder.Decode(StrangeAt(place, Proto.Action.Deny))));
    }

    [Theory]
    [InlineData("policy")]
    [InlineData("rule")]
    [InlineData("clause")]
    [InlineData("match")]
    [InlineData("string")]
    public void UnknownField_WhereTheOperatorSaysSo_IsPassedOverWithAWarning(string place)
    {
        List<string> warnings = [];
        Assert.True(LetsPass(PolicyDecoder.Decode(StrangeAt(place, Proto.Action.Allow), warnings.Add, ignoreUnknown: true)));
        Assert.Contains("passed over", Assert.Single(warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void KnownFieldsOnly_AreNotStrange() => Assert.True(LetsPass(PolicyDecoder.Decode(Policy(Proto.Action.Allow, Rule(new Proto.Match { Namespaces = { Readable } })))));

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
