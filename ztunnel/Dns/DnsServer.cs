using System.Net;
using Mesh.Net;
using Mesh.Ztunnel.Local;

namespace Mesh.Ztunnel.Dns;

/// <summary>Port 15053 of one pod: UDP and TCP on the pod's loopback, both families where the pod has them. Lives on the pod's home loop.</summary>
internal sealed class DnsServer(PodLane lane, DnsResolver resolver) : IDisposable
{
    /// <summary>The largest UDP message that anybody sends (EDNS); longer ones arrive over TCP.</summary>
    private const int MaxDatagram = 4096;

    /// <summary>Questions of one pod that may wait for an answer at the same time; a pod that asks faster is told to come back.</summary>
    private const int MaxPending = 1024;

    private readonly List<IDisposable> _sockets = [];
    private int _pending;

    /// <summary>Opens all sockets or throws.</summary>
    public void Listen()
    {
        try
        {
            foreach (var address in Addresses())
            {
                var udp = UdpSocket.Open(lane.Services.Loop, lane.Sockets.Udp(address));
                _sockets.Add(udp);
                lane.Services.Loop.Spawn(() => ServeUdpAsync(udp));
                _sockets.Add(LoopListener.Listen(
                    lane.Services.Loop,
                    lane.Sockets.ListenOn(address),
                    socket => lane.Services.Loop.Spawn(() => new DnsTcpConnection(socket, resolver).RunAsync())));
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        foreach (var socket in _sockets)
            socket.Dispose();
        _sockets.Clear();
    }

    private IEnumerable<IPEndPoint> Addresses()
    {
        if (lane.Settings.Dns.Address is { } given)
        {
            yield return given;
            yield break;
        }
        yield return new IPEndPoint(IPAddress.Loopback, lane.Settings.Dns.Port);
        if (lane.Settings.Ipv6 && lane.Sockets.HasIpv6Loopback())
            yield return new IPEndPoint(IPAddress.IPv6Loopback, lane.Settings.Dns.Port);
    }

    private async Task ServeUdpAsync(UdpSocket socket)
    {
        var buffer = new byte[MaxDatagram];
        while (true)
        {
            var datagram = await socket.ReceiveAsync(buffer);
            if (datagram.Status == IoStatus.EndOfStream)
                return;
            if (datagram is not { Status: IoStatus.Done, Source: { } client } || _pending >= MaxPending)
                continue;
            var question = buffer.AsSpan(0, datagram.Count).ToArray();
            lane.Services.Loop.Spawn(() => AnswerAsync(socket, question, client));
        }
    }

    private async Task AnswerAsync(UdpSocket socket, byte[] question, IPEndPoint client)
    {
        _pending++;
        try
        {
            if (await resolver.AnswerAsync(question, isTcp: false) is { } answer)
                socket.TrySend(answer, client);
        }
        finally
        {
            _pending--;
        }
    }
}
