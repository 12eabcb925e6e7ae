using System.Net;

namespace Mesh.Runtime.Tests;

public sealed class EnvironmentSettingsTests
{
    [Fact]
    public void Settings_WithSeveralMistakes_ReportAllOfThem()
    {
        var settings = Read(("ENABLE_PROXY", "yes"), ("SECRET_TTL", "5"), ("PORT", "99999"), ("MODE", "other"), ("ADDR", "15020"));
        Assert.True(settings.Boolean("ENABLE_PROXY", true));
        Assert.Equal(TimeSpan.FromHours(24), settings.Duration("SECRET_TTL", TimeSpan.FromHours(24)));
        settings.Integer("PORT", 1, 1, 65535);
        settings.Choice("MODE", 0, ("shared", 0), ("dedicated", 1));
        settings.EndPoint("ADDR", new IPEndPoint(IPAddress.Loopback, 1));
        settings.Required("NAME", "it is needed for the test");
        var failure = Assert.Throws<SettingsException>(settings.ThrowIfInvalid);
        Assert.Equal(6, failure.Errors.Count);
        Assert.Contains("ENABLE_PROXY is 'yes'; it must be true or false", failure.Errors);
        Assert.Contains("MODE is 'other'; it must be one of shared, dedicated", failure.Errors);
    }

    [Fact]
    public void Settings_WithoutMistakes_HaveTheirValues()
    {
        var settings = Read(("A", "true"), ("B", "90s"), ("C", "[::]:15020"), ("D", "250m"), ("X_B", "2"), ("X_A", "1"), ("X_", "0"), ("M", "dedicated"));
        Assert.True(settings.Boolean("A", false));
        Assert.Equal(TimeSpan.FromSeconds(90), settings.Duration("B", default));
        Assert.Equal(new IPEndPoint(IPAddress.IPv6Any, 15020), settings.EndPoint("C", new IPEndPoint(0, 0)));
        Assert.Equal(1, settings.Processors("D"));
        Assert.Null(settings.Processors("NONE"));
        Assert.Equal([("A", "1"), ("B", "2")], settings.Prefixed("X_"));
        Assert.Equal(1, settings.Choice("M", 0, ("shared", 0), ("dedicated", 1)));
        settings.ThrowIfInvalid();
    }

    [Fact]
    public void Secrets_AreNotAmongTheEffectiveSettings()
    {
        var settings = Read(("AUTH_TOKEN", "hunter2"), ("NODE_NAME", "n1"));
        Assert.Equal("hunter2", settings.Secret("AUTH_TOKEN"));
        Assert.Equal("n1", settings.Text("NODE_NAME"));
        Assert.DoesNotContain(settings.Effective, e => e.Value.Contains("hunter2", StringComparison.Ordinal));
        Assert.Equal("n1", settings.Effective["NODE_NAME"]);
    }

    [Theory]
    [InlineData("100ms", 100)]
    [InlineData("5s", 5000)]
    [InlineData("10m", 600_000)]
    [InlineData("24h", 86_400_000)]
    [InlineData("1h30m", 5_400_000)]
    [InlineData("1.5s", 1500)]
    [InlineData("0s", 0)]
    public void Duration_IsRead(string text, long milliseconds)
    {
        Assert.True(DurationText.TryParse(text, out var duration));
        Assert.Equal(TimeSpan.FromMilliseconds(milliseconds), duration);
    }

    [Theory]
    [InlineData("")]
    [InlineData("5")]
    [InlineData("-5s")]
    [InlineData("5 parsecs")]
    [InlineData("s")]
    [InlineData("99999999999d")]
    public void Duration_OfAnotherForm_IsRefused(string text) => Assert.False(DurationText.TryParse(text, out _));

    [Theory]
    [InlineData(44_895, "4.4895ms")]
    [InlineData(12_131_640, "1.213164s")]
    [InlineData(5, "500ns")]
    [InlineData(50_000_000, "5s")]
    public void Duration_IsPrintedInItsLargestUnit(long ticks, string text) => Assert.Equal(text, DurationText.Format(TimeSpan.FromTicks(ticks)));

    [Theory]
    [InlineData(null, null, 5)]
    [InlineData("10s", "30", 10)]
    [InlineData(null, "30", 25)]
    [InlineData(null, "10", 9)]
    [InlineData(null, "1", 1)]
    [InlineData(null, "0", 1)]
    public void TerminationDeadline_FollowsTheGracePeriod(string? deadline, string? grace, int seconds)
    {
        var values = new List<(string, string)>();
        if (deadline is not null)
            values.Add(("CONNECTION_TERMINATION_DEADLINE", deadline));
        if (grace is not null)
            values.Add(("TERMINATION_GRACE_PERIOD_SECONDS", grace));
        Assert.Equal(TimeSpan.FromSeconds(seconds), TerminationDeadline.Read(Read([.. values])));
    }

    private static EnvironmentSettings Read(params (string Key, string Value)[] values) =>
        new(values.ToDictionary(v => v.Key, v => v.Value, StringComparer.Ordinal));
}
