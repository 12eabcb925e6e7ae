using Mesh.Model;
using Mesh.Net;

namespace Mesh.Hbone.Tests;

/// <summary>A tunnel inside a tunnel: no pool knows it, and it must be found all the same when its peer is no longer to be trusted.</summary>
public sealed class NestedTunnelTests
{
    [Fact]
    public async Task TunnelInside_WhosePeerIsNoLongerTrusted_EndsAlone()
    {
        using var rig = new TunnelRig();
        var dialer = rig.OnClient(() => new HboneDialer(rig.ClientLoop, rig.Tls, rig, remote => new ConnectOptions { Remote = remote }, rig.Options));
        // The first CONNECT is the gateway's: its bytes are a connection of their own, served beside it.
        rig.OnRequest = request => rig.ServerLoop.Spawn(() => ServeInsideAsync(rig, request.Accept()!));
        var outer = await rig.OpenRawAsync();
        rig.OnRequest = request => EchoHandler.Start(request.Accept()!);

        var inner = await rig.ClientLoop.InvokeAsync(async () =>
        {
            var opened = await dialer.OpenInsideAsync(outer, rig.Target(), TunnelRig.Connect());
            return new Recorder(opened.Tunnel!);
        });
        rig.OnClient(() => inner.Tunnel.Write("through both"u8));
        Assert.Equal("through both"u8.ToArray(), await inner.ReceivedAsync(12));
        Assert.Equal(TunnelRig.Server, inner.Tunnel.Connection.PeerIdentity);

        Assert.Equal(0, rig.OnClient(() => dialer.AbortInsideWhere(_ => false, "not this one", Ending.CertificateRevoked)));
        Assert.Equal(1, rig.OnClient(() => dialer.AbortInsideWhere(c => c.PeerIdentity == TunnelRig.Server, "revoked", Ending.CertificateRevoked)));
        await inner.Reset;
        Assert.Equal(Ending.CertificateRevoked, inner.Tunnel.Connection.LossEnding);
        Assert.Equal(0, rig.OnClient(() => dialer.AbortInsideWhere(_ => true, "nothing is left", Ending.CertificateRevoked)));
        Assert.Equal(1, rig.OnClient(() => rig.Pool.ConnectionCount));
    }

    private static async Task ServeInsideAsync(TunnelRig rig, Tunnel carrier)
    {
        var certificate = await rig.GetCertificateAsync();
        var transport = new TlsTransport(new TunnelTransport(carrier));
        var handshake = await transport.HandshakeAsServerAsync(rig.Tls.ServerOptions(certificate.Certificate!, _ => { }), rig.Options.HandshakeTimeout);
        Assert.True(handshake.IsOk, handshake.Text);
        new HboneServerConnection(rig.ServerLoop, transport, rig.Options, TunnelRig.Client, carrier.Connection.RemoteEndPoint, carrier.Connection.LocalEndPoint, rig.OnTunnel, _ => { }).Start();
    }
}
