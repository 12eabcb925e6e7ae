using Mesh.Xds.Client;

namespace Mesh.Xds.Tests.Client;

/// <summary>Nodes that lose a control plane at the same moment do not come back at the same moment.</summary>
public sealed class XdsBackoffTests
{
    [Fact]
    public void Delays_OfManyNodes_AreSpread_AndOnlyEverShorter()
    {
        var delays = Enumerable.Range(0, 500).Select(seed =>
        {
            var backoff = new XdsBackoff(new Random(seed));
            return Enumerable.Range(0, 12).Select(_ => backoff.Next(XdsTermination.Error, usable: false)).ToList()[^1]; // a list: each wait depends on the one before
        }).ToList();
        Assert.All(delays, d => Assert.InRange(d, TimeSpan.FromSeconds(10.5), TimeSpan.FromSeconds(15)));
        Assert.True(delays.Max() - delays.Min() > TimeSpan.FromSeconds(4), $"{delays.Min()} to {delays.Max()}");
    }
}
