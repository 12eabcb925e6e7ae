using FsCheck.Xunit;
using Mesh.Xds.Grpc;

namespace Mesh.Xds.Tests.Grpc;

public sealed class GrpcHeaderTests
{
    [Theory]
    [InlineData("plain text", "plain text")]
    [InlineData("100%", "100%25")]
    [InlineData("a\nb", "a%0Ab")]
    [InlineData("für", "f%C3%BCr")]
    public void Message_IsPercentEncoded(string text, string encoded)
    {
        Assert.Equal(encoded, GrpcPercentEncoding.Encode(text));
        Assert.Equal(text, GrpcPercentEncoding.Decode(encoded));
    }

    [Theory]
    [InlineData("50% off", "50% off")]
    [InlineData("%zz%4", "%zz%4")]
    public void Message_BadlyEncoded_IsKeptAsItIs(string encoded, string text) => Assert.Equal(text, GrpcPercentEncoding.Decode(encoded));

    [Property]
    public bool Message_OfAnyText_SurvivesTheTrip(FsCheck.UnicodeString text) =>
        text.Get is not { } value || value.Any(char.IsSurrogate) || GrpcPercentEncoding.Decode(GrpcPercentEncoding.Encode(value)) == value;

    [Theory]
    [InlineData("5S", 5_000_000)]
    [InlineData("100m", 100_000)]
    [InlineData("1H", 3_600_000_000)]
    [InlineData("250u", 250)]
    [InlineData("2000n", 2)]
    [InlineData("3M", 180_000_000)]
    public void Timeout_IsRead(string text, long microseconds)
    {
        Assert.True(GrpcTimeout.TryParse(text, out var timeout));
        Assert.Equal(TimeSpan.FromMicroseconds(microseconds), timeout);
    }

    [Theory]
    [InlineData("")]
    [InlineData("5")]
    [InlineData("S")]
    [InlineData("-5S")]
    [InlineData("5s")]
    [InlineData("123456789S")]
    public void Timeout_OfAnotherForm_IsIgnored(string text) => Assert.False(GrpcTimeout.TryParse(text, out _));

    [Property]
    public bool Timeout_Written_IsNeverShorterAndHasAtMostEightDigits(FsCheck.PositiveInt milliseconds, FsCheck.PositiveInt factor)
    {
        var timeout = TimeSpan.FromMilliseconds((double)milliseconds.Get * factor.Get);
        var text = GrpcTimeout.Format(timeout);
        return text.Length <= 9 && GrpcTimeout.TryParse(text, out var parsed) && parsed >= timeout;
    }

    [Fact]
    public void Metadata_WithBytes_IsBase64WithoutPadding()
    {
        var metadata = new GrpcMetadata().Add("trace-bin", [1, 2, 3, 4]);
        Assert.Equal("AQIDBA", metadata.Get("Trace-Bin"));
        Assert.Equal([1, 2, 3, 4], metadata.GetBytes("trace-bin")!);
        Assert.Equal([1, 2, 3, 4], new GrpcMetadataEntry("x-bin", "AQIDBA==").ToBytes());
    }

    [Theory]
    [InlineData("x_test", "a\r\nauthorization: Bearer stolen")]
    [InlineData("x test", "a")]
    [InlineData("", "a")]
    public void Metadata_ThatCouldSmuggleAHeader_IsRefused(string key, string value) =>
        Assert.Throws<ArgumentException>(() => new GrpcMetadata().Add(key, value));

    [Fact]
    public void Status_OfAnUnknownNumber_IsUnknown() => Assert.Equal(GrpcStatusCode.Unknown, GrpcStatus.Parse("42", "odd").Code);

    [Theory]
    [InlineData(401, GrpcStatusCode.Unauthenticated)]
    [InlineData(403, GrpcStatusCode.PermissionDenied)]
    [InlineData(404, GrpcStatusCode.Unimplemented)]
    [InlineData(503, GrpcStatusCode.Unavailable)]
    [InlineData(400, GrpcStatusCode.Internal)]
    [InlineData(500, GrpcStatusCode.Unknown)]
    public void HttpStatus_WithoutGrpcStatus_IsMapped(int http, GrpcStatusCode grpc) => Assert.Equal(grpc, GrpcStatus.FromHttp((System.Net.HttpStatusCode)http).Code);
}
