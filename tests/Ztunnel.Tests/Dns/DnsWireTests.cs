using System.Net;
using FsCheck.Xunit;
using Mesh.Ztunnel.Dns;

namespace Mesh.Ztunnel.Tests.Dns;

/// <summary>Questions and answers as bytes; the questions are recorded ones.</summary>
public sealed class DnsWireTests
{
    private const string UpperCase = "0ca901000001000000000000044543484f0764656661756c740353564307636c7573746572056c6f63616c0000010001";

    private static DnsQuery Parse(string hex)
    {
        var query = DnsQuery.Parse(Convert.FromHexString(hex), out var malformed);
        Assert.False(malformed);
        return query!;
    }

    [Fact]
    public void Question_IsReadInLowerCase_AndEchoedAsItCame()
    {
        var query = Parse(UpperCase);
        Assert.Equal(("echo.default.svc.cluster.local", DnsType.A, true), (query.Name, query.Type, query.RecursionDesired));
        var answer = DnsResponse.Write(query, DnsResponseCode.NoError, true, [DnsRecord.Of(query.Name, IPAddress.Parse("198.18.2.1"))], 512);
        Assert.Equal(UpperCase[24..], Convert.ToHexStringLower(answer)[24..(24 + UpperCase.Length - 24)]);
        // Header: response, authoritative, recursion desired and available, one question, one answer.
        Assert.Equal("0ca98580000100010000000", Convert.ToHexStringLower(answer)[..23]);
        Assert.EndsWith("00010001" + "0000001e" + "0004" + "c6120201", Convert.ToHexStringLower(answer), StringComparison.Ordinal);
    }

    [Fact]
    public void Answer_ThatDoesNotFit_IsCutAtARecord_AndSaysSo()
    {
        var query = Parse(UpperCase);
        var records = Enumerable.Range(1, 250).Select(i => DnsRecord.Of(query.Name, new IPAddress([10, 0, 0, (byte)i]))).ToList();
        var cut = DnsResponse.Write(query, DnsResponseCode.NoError, true, records, 512);
        Assert.True(cut.Length <= 512);
        Assert.Equal(0x02, cut[2] & 0x02);
        var count = (cut[6] << 8) | cut[7];
        Assert.InRange(count, 20, 40);
        var whole = DnsResponse.Write(query, DnsResponseCode.NoError, true, records, ushort.MaxValue);
        Assert.Equal((250, 0), ((whole[6] << 8) | whole[7], whole[2] & 0x02));
    }

    [Theory]
    [InlineData("", true)]
    [InlineData("0ca9010000010000000000", true)]
    [InlineData("0ca9010000010000000000000445", false)]
    [InlineData("0ca901000001000000000000c00c00010001", false)]
    [InlineData("0ca901000002000000000000044543484f0000010001", false)]
    public void BrokenMessage_IsNoQuestion(string hex, bool isNothing)
    {
        var query = DnsQuery.Parse(Convert.FromHexString(hex), out var malformed);
        Assert.Equal(isNothing, query is null);
        Assert.Equal(!isNothing, malformed);
    }

    [Property(MaxTest = 500)]
    public void AnyBytes_AreReadWithoutFault(byte[] bytes)
    {
        if (DnsQuery.Parse(bytes, out _) is { } query)
            DnsResponse.Write(query, DnsResponseCode.FormErr, false, [], 512);
    }

    [Fact]
    public void Edns_IsEchoedWithAtLeast512Octets()
    {
        var query = Parse("0ca901000001000000000001044543484f0000010001" + "00" + "0029" + "0100" + "00" + "00" + "8000" + "0000");
        Assert.Equal((256, 512, true), (query.Edns!.PayloadSize, query.Edns.UsablePayloadSize, query.Edns.DnssecOk));
        var answer = Convert.ToHexStringLower(DnsResponse.Write(query, DnsResponseCode.NoError, true, [], 512));
        Assert.EndsWith("00" + "0029" + "0200" + "00" + "00" + "8000" + "0000", answer, StringComparison.Ordinal);
    }

    [Fact]
    public void NameServersAndSearchDomains_AreTheLinesOfResolvConf()
    {
        var read = ResolvConf.Parse("# comment\nsearch old\nsearch a.example B.example.\nnameserver 198.18.1.32\nnameserver  fd00::1\nnameserver nonsense\noptions ndots:5\n");
        Assert.Equal(["198.18.1.32:53", "[fd00::1]:53"], read.NameServers.Select(s => s.ToString()));
        Assert.Equal(["a.example", "b.example"], read.Search);
    }
}
