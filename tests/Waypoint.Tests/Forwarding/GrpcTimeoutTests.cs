using System.Net;
using Mesh.Waypoint.Forwarding;
using Mesh.Waypoint.Tests.Harness;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Tests.Forwarding;

/// <summary>The client's <c>grpc-timeout</c>, which can say anything (reference 7.9).</summary>
public sealed class GrpcTimeoutTests
{
    [Theory]
    [InlineData("5S", "5000m")]
    [InlineData("1500u", "1m")]
    [InlineData("10u", "1m")]
    [InlineData("99999999m", "99999999m")]
    [InlineData("99999999S", "99999999S")]
    [InlineData("99999999H", "99999999H")]
    public void Timeout_AsItIsForwarded_HasEightDigitsAtMost(string sent, string forwarded) =>
        Assert.Equal(forwarded, GrpcStatus.FormatTimeout(GrpcStatus.ParseTimeout(sent)!.Value));

    [Theory]
    [InlineData("+5S")]
    [InlineData(" 5S")]
    [InlineData("-5S")]
    [InlineData("5")]
    [InlineData("123456789S")]
    [InlineData("5s")]
    public void Timeout_ThatIsNone_IsNotRead(string text) => Assert.Null(GrpcStatus.ParseTimeout(text));

    [Fact]
    public async Task Timeout_OfThousandsOfYears_IsServed()
    {
        await using var origin = await Origin.StartAsync(http => http.Response.WriteAsync(http.Request.Headers["grpc-timeout"].ToString()));
        await using var mesh = await OneService.StartAsync([origin.Port], version: HttpVersion.Version20);
        var content = new ByteArrayContent([]);
        content.Headers.ContentType = new("application/grpc");
        using var response = await mesh.SendAsync(HttpMethod.Post, "/a.B/C", content, ("grpc-timeout", "99999999H"));
        Assert.Equal("99999999H", await response.Content.ReadAsStringAsync());
    }
}
