using FsCheck.Xunit;
using Mesh.Ztunnel.Dns;
using Mesh.Ztunnel.Inbound;
using Mesh.Ztunnel.Pods;

namespace Mesh.Ztunnel.Tests.Inbound;

/// <summary>Parsers that strangers can reach: anything in, never a fault, and what is read can be written again.</summary>
public sealed class HostileHeaderTests
{
    [Property(MaxTest = 1000)]
    public void Authority_OfAnyText_IsReadOrRefused(string? text)
    {
        if (Authority.TryParse(text, out var authority))
            Assert.True(Authority.TryParse(authority.ToString(), out var again) && again == authority, text);
    }

    [Property(MaxTest = 1000)]
    public void ZdsDatagram_OfAnyBytes_IsReadOrRefused(byte[] datagram, bool truncated, byte descriptors) =>
        Assert.NotNull(ZdsRequest.Decode(datagram, truncated, descriptors));

    [Property(MaxTest = 1000)]
    public void DnsName_OfAnyBytes_EndsAndStaysShort(byte[] message, byte start)
    {
        var position = (int)start;
        if (DnsName.TryRead(message, ref position, out var name))
            Assert.True(name.Length <= 255 && position <= message.Length);
    }

    [Property(MaxTest = 1000)]
    public void ReverseName_OfAnyText_IsAnAddressOrNothing(string? text)
    {
        DnsReverse.Parse(text ?? string.Empty);
        DnsReverse.Parse($"{text}.in-addr.arpa");
        DnsReverse.Parse($"{text}.ip6.arpa");
    }

    [Property(MaxTest = 200)]
    public void DnsQuestion_WithBitsTurned_IsNoFault(byte[] positions)
    {
        var message = Convert.FromHexString("0ca901000001000000000001044543484f0764656661756c740353564307636c7573746572056c6f63616c00000100010000290100000080000000");
        foreach (var position in positions)
            message[position % message.Length] ^= (byte)(1 << (position % 8));
        if (DnsQuery.Parse(message, out _) is { } query)
            DnsResponse.Write(query, DnsResponseCode.NoError, true, [DnsRecord.Cname(query.Name, "a.b")], 512);
    }
}
