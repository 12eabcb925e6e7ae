using System.Net;
using Mesh.Testing;
using Microsoft.Win32.SafeHandles;

namespace Mesh.Net.Tests;

public sealed class NetworkNamespaceTests
{
    [Fact]
    public void Current_AskedTwice_IsTheSameNamespace()
    {
        using var one = NetworkNamespace.Current();
        using var two = NetworkNamespace.Open("/proc/self/ns/net");
        Assert.Equal(one.Id, two.Id);
        Assert.NotEqual(one.Descriptor, two.Descriptor);
        Assert.NotEqual(0UL, one.Id.Inode);
    }

    [Fact]
    public void Open_OfAMissingPath_SaysWhich()
    {
        var e = Assert.Throws<SocketFailureException>(() => NetworkNamespace.Open("/proc/nothing/ns/net"));
        Assert.Contains("/proc/nothing/ns/net", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Descriptor_AfterDispose_IsRefused()
    {
        var closed = NetworkNamespace.Current();
        closed.Dispose();
        Assert.Throws<ObjectDisposedException>(() => closed.Descriptor);
    }

    [RootFact]
    public void Run_Inside_SeesAnotherNamespaceAndLeavesTheCallerWhereItIs()
    {
        using var home = NetworkNamespace.Current();
        using var other = NetworkNamespace.CreateUnnamed();
        Assert.NotEqual(home.Id, other.Id);
        var inside = other.Run(() =>
        {
            using var here = NetworkNamespace.Current();
            return here.Id;
        });
        Assert.Equal(other.Id, inside);
        using var still = NetworkNamespace.Current();
        Assert.Equal(home.Id, still.Id);
        var e = Assert.Throws<FormatException>(() => other.Run(() => throw new FormatException("inside")));
        Assert.Equal("inside", e.Message);
    }

    [RootFact("ip")]
    public void StartProcess_Inside_RunsThere()
    {
        using var other = NetworkNamespace.CreateUnnamed();
        var links = NetworkLab.Run(other, "ip", "-o", "link");
        Assert.Contains(" lo:", links, StringComparison.Ordinal);
        Assert.Single(links.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [RootFact("ip")]
    public async Task Listener_MadeInANamespace_IsReachedFromThereAndItsLoopIsBackHome()
    {
        using var lab = new NetworkLab();
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var accepted = new TaskCompletionSource<LoopSocket>();
            var options = new ListenOptions { EndPoint = new IPEndPoint(NetworkLab.RightAddress, 7000), NetworkNamespace = lab.Right, Mark = 1337 };
            using var listener = LoopListener.Listen(test.Loop, options, accepted.SetResult);
            var result = await LoopConnector.ConnectAsync(test.Loop, new ConnectOptions { Remote = listener.LocalEndPoint, NetworkNamespace = lab.Left, Mark = 4242 });
            Assert.True(result.Socket is not null, result.Detail);
            var server = await accepted.Task;
            Assert.Equal(NetworkLab.LeftAddress, server.RemoteEndPoint.Address);
            Assert.Equal(1337u, server.Mark);
            Assert.Equal(4242u, result.Socket!.Mark);

            using var here = NetworkNamespace.Current();
            using var home = NetworkNamespace.Open("/proc/self/ns/net");
            Assert.Equal(home.Id, here.Id);
            result.Socket!.Dispose();
            server.Dispose();
        });
    }

    [RootFact]
    public async Task Connector_WithAClosedNamespace_FailsAsAValueOrObjectDisposed()
    {
        using var test = new TestLoop();
        var bad = NetworkNamespace.FromDescriptor(new SafeFileHandle(await test.Get(() => Native.Libc.open("/dev/null", 0)), ownsHandle: true));
        await test.Run(async () =>
        {
            var result = await LoopConnector.ConnectAsync(test.Loop, new ConnectOptions { Remote = new IPEndPoint(IPAddress.Loopback, 1), NetworkNamespace = bad });
            Assert.Equal(ConnectFailure.Other, result.Failure);
            Assert.Contains("enter the network namespace", result.Detail, StringComparison.Ordinal);
        });
        bad.Dispose();
    }
}
