using System.Net;
using Mesh.Testing;

namespace Mesh.Net.Tests;

public sealed class UdpTests
{
    [Fact]
    public async Task Datagram_ToADualStackSocket_ComesWithItsUnmappedSource()
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            using var server = UdpSocket.Open(test.Loop, new UdpOptions { EndPoint = new IPEndPoint(IPAddress.IPv6Any, 0) });
            using var client = UdpSocket.Open(test.Loop, new UdpOptions { EndPoint = Sockets.AnyLoopback, Peer = new IPEndPoint(IPAddress.Loopback, server.LocalEndPoint.Port) });
            Assert.Equal(IoStatus.Done, client.TrySend("ask"u8));
            var buffer = new byte[512];
            var asked = await server.ReceiveAsync(buffer);
            Assert.Equal((3, client.LocalEndPoint), (asked.Count, asked.Source));
            Assert.Equal(IoStatus.Done, server.TrySend("answer"u8, asked.Source));
            var answer = await client.ReceiveAsync(buffer);
            Assert.Equal(6, answer.Count);
            Assert.False(answer.Truncated);
        });
    }

    [Fact]
    public async Task Datagram_LargerThanTheBuffer_IsKnownAsTruncated()
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            using var server = UdpSocket.Open(test.Loop, new UdpOptions { EndPoint = Sockets.AnyLoopback });
            server.TrySend(new byte[100], server.LocalEndPoint);
            var datagram = await server.ReceiveAsync(new byte[10]);
            Assert.Equal((10, true), (datagram.Count, datagram.Truncated));
        });
    }

    [Fact]
    public async Task Peer_ThatIsNotThere_IsAFailureAndTheSocketStaysUsable()
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var gone = UdpSocket.Open(test.Loop, new UdpOptions { EndPoint = Sockets.AnyLoopback });
            gone.Dispose();
            using var client = UdpSocket.Open(test.Loop, new UdpOptions { EndPoint = Sockets.AnyLoopback, Peer = gone.LocalEndPoint });
            client.TrySend(new byte[1]);
            Assert.Equal(IoStatus.Failed, (await client.ReceiveAsync(new byte[10])).Status);
            Assert.Equal(Native.Errno.ECONNREFUSED, client.LastError);
            Assert.Equal(IoStatus.Done, client.TrySend(new byte[1]));
        });
    }

    [RootFact("ip")]
    public async Task Socket_InANamespace_IsBoundThere()
    {
        using var lab = new NetworkLab();
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            using var right = UdpSocket.Open(test.Loop, new UdpOptions { EndPoint = new IPEndPoint(NetworkLab.RightAddress, 15053), NetworkNamespace = lab.Right, Mark = 1337 });
            using var left = UdpSocket.Open(test.Loop, new UdpOptions { EndPoint = new IPEndPoint(IPAddress.Any, 0), NetworkNamespace = lab.Left });
            left.TrySend("query"u8, right.LocalEndPoint);
            Assert.Equal(NetworkLab.LeftAddress, (await right.ReceiveAsync(new byte[100])).Source!.Address);
        });
    }

    [Fact]
    public async Task Dispose_DuringAWait_EndsIt()
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var socket = UdpSocket.Open(test.Loop, new UdpOptions { EndPoint = Sockets.AnyLoopback });
            var receiving = socket.ReceiveAsync(new byte[10]);
            await Task.Yield();
            socket.Dispose();
            Assert.Equal(IoStatus.EndOfStream, (await receiving).Status);
        });
    }
}
