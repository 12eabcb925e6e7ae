using System.Net;
using System.Net.Sockets;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;

namespace Mesh.Model.Tests;

public sealed class IpPrefixTests
{
    [Theory]
    [InlineData("10.0.0.0/8", "10.255.1.2", true)]
    [InlineData("10.0.0.0/8", "11.0.0.0", false)]
    [InlineData("127.0.0.2/32", "127.0.0.2", true)]
    [InlineData("127.0.0.2/32", "127.0.0.3", false)]
    [InlineData("10.1.2.3/24", "10.1.2.200", true)]
    [InlineData("0.0.0.0/0", "203.0.113.1", true)]
    [InlineData("0.0.0.0/0", "::1", false)]
    [InlineData("::/0", "203.0.113.1", false)]
    [InlineData("::/0", "2001:db8::1", true)]
    [InlineData("2001:db8::/33", "2001:db8:7fff::1", true)]
    [InlineData("2001:db8::/33", "2001:db8:8000::1", false)]
    [InlineData("10.0.0.0/8", "::ffff:10.1.1.1", true)]
    public void Contains_Address_ByPrefix(string prefix, string address, bool expected) =>
        Assert.Equal(expected, IpPrefix.Parse(prefix).Contains(IPAddress.Parse(address)));

    [Theory]
    [InlineData("10.0.0.0/33")]
    [InlineData("::/129")]
    [InlineData("10.0.0.0/-1")]
    [InlineData("10.0.0/x")]
    [InlineData("example.com/8")]
    [InlineData("")]
    [InlineData(null)]
    public void Parse_Malformed_IsRefused(string? text) => Assert.False(IpPrefix.TryParse(text, out _));

    [Fact]
    public void Prefix_HostBits_AreCleared()
    {
        Assert.Equal("10.1.2.0/24", IpPrefix.Parse("10.1.2.3/24").ToString());
        Assert.Equal(IpPrefix.Parse("10.1.2.0/24"), IpPrefix.Parse("10.1.2.99/24"));
        Assert.Equal("192.0.2.1/32", IpPrefix.Parse("192.0.2.1").ToString());
        Assert.Equal(AddressFamily.InterNetworkV6, IpPrefix.Parse("2001:db8::1").Family);
    }

    [Property]
    public Property Contains_AnyAddress_AgreesWithComparingBits() =>
        Prop.ForAll(
            Gen.OneOf(Bytes(4), Bytes(16)).Two().ToArbitrary(),
            Gen.Choose(0, 128).ToArbitrary(),
            (pair, length) =>
            {
                var (a, b) = pair;
                var bits = Math.Min(length, a.Length * 8);
                Assert.True(IpPrefix.TryCreate(new IPAddress(a), bits, out var prefix));
                var shared = a.Length == b.Length && Enumerable.Range(0, bits).All(i => Bit(a, i) == Bit(b, i));
                return prefix.Contains(new IPAddress(b)) == shared && prefix.Contains(new IPAddress(a));
            });

    // Few distinct bytes, so that addresses share prefixes often.
    private static Gen<byte[]> Bytes(int count) => Gen.Elements<byte>(0, 1, 128, 129, 255).ArrayOf(count);

    private static bool Bit(byte[] address, int index) => (address[index / 8] & (0x80 >> (index % 8))) != 0;
}
