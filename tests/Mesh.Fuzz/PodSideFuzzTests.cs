using Mesh.Ztunnel.Dns;
using Mesh.Ztunnel.Pods;

namespace Mesh.Fuzz;

/// <summary>What a pod and the node agent may send to the agent of the node: questions for names, and datagrams about pods.</summary>
public sealed class PodSideFuzzTests
{
    private const int SmallestUdp = 512;

    /// <summary>Any question: what is answered here is a whole message within its limit, about the same question under the same id.</summary>
    [Fact]
    public void Dns_AnyQuestion_IsAnsweredWholeOrLeftToOthers() => Corpus.Run("dns", 20_000, (bytes, random) =>
    {
        if (DnsQuery.Parse(bytes, out var malformed) is not { } query)
        {
            Assert.True(bytes.Length < DnsQuery.HeaderLength);
            return;
        }

        var lookup = new DnsLookup(string.Empty, "cluster.local", null, ipv6: true);
        var found = malformed || query.IsResponse ? null : lookup.Find(FuzzWorld.Mesh, FuzzWorld.Pods[0], query, random);
        var limit = query.Edns?.UsablePayloadSize ?? SmallestUdp;
        var answer = DnsResponse.Write(query, found is null ? DnsResponseCode.FormErr : DnsResponseCode.NoError, found is not null, found?.Records ?? [], limit);
        Assert.True(answer.Length <= limit, $"{answer.Length} octets where {limit} fit");
        var again = DnsQuery.Parse(answer, out var broken)!;
        Assert.True(again.IsResponse && again.Id == query.Id);
        if (query.Question.Length == 0)
            return; // an answer without a question is not one that our own reader takes
        Assert.False(broken, "the answer cannot be read");
        Assert.Equal((query.Name, query.Type), (again.Name, again.Type));
        Assert.Equal(query.Question, again.Question);
    });

    /// <summary>Any datagram with any number of descriptors: only an add takes one, and only exactly one.</summary>
    [Fact]
    public void Zds_AnyDatagram_IsReadOrRefusedWithAReason() => Corpus.Run("zds", 20_000, (bytes, random) =>
    {
        var descriptors = random.Next(3);
        switch (ZdsRequest.Decode(bytes.AsSpan(0, Math.Min(bytes.Length, ZdsRequest.MaxDatagram)), bytes.Length > ZdsRequest.MaxDatagram, descriptors))
        {
            case ZdsRequest.Add:
                Assert.Equal(1, descriptors);
                break;
            case ZdsRequest.Violation violation:
                Assert.Equal(1, descriptors);
                Assert.NotEmpty(violation.Reason);
                break;
            case ZdsRequest.Unreadable unreadable:
                Assert.NotEmpty(unreadable.Reason);
                break;
            default:
                Assert.Equal(0, descriptors);
                break;
        }
    });
}
