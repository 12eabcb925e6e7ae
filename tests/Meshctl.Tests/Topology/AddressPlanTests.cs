using System.Net;

using FsCheck.Xunit;

using Mesh.Meshctl.Topology;

namespace Mesh.Meshctl.Tests.Topology;

public sealed class AddressPlanTests
{
    [Property]
    public bool Pod_OfAnyNodeAndHost_IsInsideTheNodesPrefixAndNeverTheNodeItself(byte node, byte host)
    {
        var n = 1 + (node % AddressPlan.MaxNodes);
        var h = AddressPlan.FirstPod + (host % (AddressPlan.LastPod - AddressPlan.FirstPod + 1));
        var address = AddressPlan.Pod(n, h);
        return IPNetwork.Parse(AddressPlan.NodePrefix(n)).Contains(address) && !address.Equals(AddressPlan.Node(n)) && !address.Equals(IPAddress.Broadcast);
    }

    [Property]
    public bool Virtual_OfAnyIndex_IsInItsPrefixAndNotANetworkAddress(ushort index)
    {
        var address = AddressPlan.Virtual(index % 65_534);
        return IPNetwork.Parse(AddressPlan.VirtualPrefix).Contains(address) && address.ToString() is not "198.19.0.0" and not "198.19.255.255";
    }

    [Fact]
    public void Plan_OfAllNodes_NamesEveryAddressOnce()
    {
        var all = Enumerable.Range(1, AddressPlan.MaxNodes).SelectMany(n => (IPAddress[])[AddressPlan.Uplink(n), AddressPlan.Node(n), AddressPlan.Pod(n, AddressPlan.FirstPod), AddressPlan.Pod(n, AddressPlan.LastPod)])
            .Append(AddressPlan.Switch).Append(AddressPlan.ControlPlane).ToList();
        Assert.Equal(all.Count, all.Distinct().Count());
        Assert.All(all, a => Assert.True(IPNetwork.Parse("198.18.0.0/15").Contains(a), a.ToString()));
    }

    [Theory]
    [InlineData(0, 10)]
    [InlineData(201, 10)]
    [InlineData(1, 9)]
    [InlineData(1, 255)]
    public void Pod_OutsideThePlan_IsRefused(int node, int host) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => AddressPlan.Pod(node, host));
}
