using System.Net;
using Mesh.Net;
using Mesh.Runtime;
using Mesh.Ztunnel.Settings;

namespace Mesh.Ztunnel.Local;

/// <summary>How sockets of one pod are made: in its namespace, with our mark, so that the capture rules let them pass.</summary>
/// <param name="isTransparent">Whether connections to the application may keep the client's address.</param>
internal sealed class PodSockets(NetworkNamespace? network, ZtunnelSettings settings, bool isTransparent)
{
    private readonly uint _mark = settings.Pods.PacketMark ?? 0;

    public NetworkNamespace? Network => network;

    public uint Mark => _mark;

    public bool IsTransparent => isTransparent;

    public KeepAliveOptions? KeepAlive { get; } = settings.Socket.KeepAlive
        ? new KeepAliveOptions(settings.Socket.KeepAliveTime, settings.Socket.KeepAliveInterval, settings.Socket.KeepAliveRetries)
        : null;

    public TimeSpan? UserTimeout { get; } = settings.Socket.UserTimeout
        ? settings.Socket.KeepAliveTime + (settings.Socket.KeepAliveRetries * settings.Socket.KeepAliveInterval)
        : null;

    /// <summary>A wildcard listener: IPv6 takes IPv4 too.</summary>
    public ListenOptions Listen(int port, bool keepAlive) => new()
    {
        EndPoint = new IPEndPoint(settings.Ipv6 ? IPAddress.IPv6Any : IPAddress.Any, port),
        ReusePort = settings.Pods.PortReuse,
        Transparent = isTransparent,
        Mark = _mark,
        NetworkNamespace = network,
        KeepAlive = keepAlive ? KeepAlive : null,
        UserTimeout = keepAlive ? UserTimeout : null,
    };

    /// <summary>A listener on exactly this address.</summary>
    public ListenOptions ListenOn(IPEndPoint address) => new()
    {
        EndPoint = address,
        ReusePort = settings.Pods.PortReuse,
        Mark = _mark,
        NetworkNamespace = network,
    };

    public UdpOptions Udp(IPEndPoint address) => new()
    {
        EndPoint = address,
        ReusePort = settings.Pods.PortReuse,
        Mark = _mark,
        NetworkNamespace = network,
    };

    /// <summary>A pod may have IPv6 switched off on its loopback.</summary>
    public bool HasIpv6Loopback() => network is null ? Ipv6Loopback.IsThere : network.Run(() => Ipv6Loopback.IsThere);

    /// <param name="source">Set: the far end should see this address.</param>
    public ConnectOptions Connect(IPEndPoint remote, IPAddress? source = null) => new()
    {
        Remote = remote,
        Timeout = settings.Tunnel.ConnectTimeout,
        Mark = _mark,
        NetworkNamespace = network,
        TransparentSource = isTransparent ? source : null,
        KeepAlive = KeepAlive,
        UserTimeout = UserTimeout,
    };
}
