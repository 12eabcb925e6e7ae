namespace Mesh.Model.Tests;

public sealed class SpiffeIdTests
{
    [Theory]
    [InlineData("spiffe://cluster.local/ns/default/sa/client", "cluster.local", "default", "client")]
    [InlineData("spiffe://Cluster.Local/ns/Default/sa/Client", "Cluster.Local", "Default", "Client")]
    [InlineData("spiffe://td/ns//sa/", "td", "", "")]
    public void Parse_WellFormed_RoundTrips(string text, string trustDomain, string ns, string account)
    {
        Assert.True(SpiffeId.TryParse(text, out var id));
        Assert.Equal(new SpiffeId(trustDomain, ns, account), id);
        Assert.Equal(text, id.ToString());
        Assert.Equal(text["spiffe://".Length..], id.Principal);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("spiffe://")]
    [InlineData("spiffe://td/ns/a/sa/b/")]
    [InlineData("spiffe://td/ns/a/sa")]
    [InlineData("spiffe://td/ns/a/sa/b/c")]
    [InlineData("spiffe://td/NS/a/sa/b")]
    [InlineData("spiffe://td/ns/a/SA/b")]
    [InlineData("SPIFFE://td/ns/a/sa/b")]
    [InlineData("https://td/ns/a/sa/b")]
    [InlineData("td/ns/a/sa/b")]
    public void Parse_Malformed_IsRefused(string? text) => Assert.False(SpiffeId.TryParse(text, out _));

    [Fact]
    public void FormatPrincipal_WritesExactlyItsLength()
    {
        var id = new SpiffeId("cluster.local", "default", "client");
        Span<char> text = stackalloc char[id.PrincipalLength];

        Assert.True(id.TryFormatPrincipal(text, out var written));

        Assert.Equal(id.PrincipalLength, written);
        Assert.Equal(id.Principal, text.ToString());
    }
}
