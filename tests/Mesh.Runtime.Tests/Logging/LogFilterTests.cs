using Mesh.Runtime.Logging;

namespace Mesh.Runtime.Tests.Logging;

public sealed class LogFilterTests
{
    [Theory]
    [InlineData("info", "any", LogSeverity.Info)]
    [InlineData("info,access=debug", "access", LogSeverity.Debug)]
    [InlineData("info,access=debug", "accessory", LogSeverity.Debug)]
    [InlineData("warn,ztunnel=info,ztunnel::xds=trace", "ztunnel::xds::client", LogSeverity.Trace)]
    [InlineData("warn,ztunnel=info,ztunnel::xds=trace", "ztunnel::dns", LogSeverity.Info)]
    [InlineData("access=debug", "other", LogSeverity.Off)]
    [InlineData("INFO", "any", LogSeverity.Info)]
    [InlineData("off", "any", LogSeverity.Off)]
    [InlineData("", "any", LogSeverity.Off)]
    public void Filter_TheLongestPrefixDecides(string text, string target, LogSeverity minimum)
    {
        Assert.True(LogFilter.TryParse(text, out var filter, out _));
        Assert.Equal(minimum, filter.For(target));
    }

    [Theory]
    [InlineData("bogus", "bogus")]
    [InlineData("info,a:debug", "a:debug")]
    [InlineData("=debug", "=debug")]
    [InlineData("access=", "access=")]
    public void Filter_WithAWrongClause_NamesIt(string text, string clause)
    {
        Assert.False(LogFilter.TryParse(text, out _, out var wrong));
        Assert.Equal(clause, wrong);
    }

    [Fact]
    public void Filter_Printed_HasTheMostSpecificFirst()
    {
        Assert.True(LogFilter.TryParse("hickory_server::server=off,info,access=debug", out var filter, out _));
        Assert.Equal("hickory_server::server=off,access=debug,info", filter.ToString());
        Assert.True(filter.TryAdd("access=off,debug", out var changed, out _));
        Assert.Equal("hickory_server::server=off,access=off,debug", changed.ToString());
    }
}
