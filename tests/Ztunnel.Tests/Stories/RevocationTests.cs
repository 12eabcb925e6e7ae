using System.Net.Sockets;
using Mesh.Model.Workloads;
using Mesh.Ztunnel.Local;

namespace Mesh.Ztunnel.Tests.Stories;

/// <summary>A certificate that was taken back: no new tunnel with it, and no standing one survives the list that names it.</summary>
public sealed class RevocationTests
{
    [Fact]
    public async Task Client_ThatIsRevoked_IsRefusedInTheHandshake()
    {
        await using var rig = await StoryRig.StartAsync();
        await rig.RevokeAsync(rig.Client);
        using var client = await rig.ConnectAsync();
        Assert.Equal(0, await client.ReceiveAsync(new byte[1]));
        Assert.Equal("certificate_revoked", (await rig.LineAsync("inbound")).GetProperty("ending").GetString());
        Assert.Equal(1, rig.ServerLane.Telemetry.Metrics.CrlRejections.With("destination").Value);
    }

    [Fact]
    public async Task Server_ThatIsRevoked_IsNotSpokenTo()
    {
        await using var rig = await StoryRig.StartAsync();
        await rig.RevokeAsync(rig.Server);
        using var client = await rig.ConnectAsync();
        Assert.Equal(0, await client.ReceiveAsync(new byte[1]));
        Assert.Equal("certificate_revoked", (await rig.LineAsync("outbound")).GetProperty("ending").GetString());
        Assert.Equal(1, rig.ClientLane.Telemetry.Metrics.CrlRejections.With("source").Value);
    }

    [Theory]
    [InlineData("inbound", "destination")]
    [InlineData("outbound", "source")]
    public async Task OpenConnection_WhosePeerIsRevoked_Ends(string direction, string reporter)
    {
        await using var rig = await StoryRig.StartAsync();
        using var client = await rig.ConnectAsync();
        Assert.Equal("before", await StoryRig.ExchangeAsync(client, "before"));
        await rig.RevokeAsync(direction == "inbound" ? rig.Client : rig.Server);
        await EndsAsync(client);
        var line = await rig.LineAsync(direction);
        Assert.Equal("certificate_revoked", line.GetProperty("ending").GetString());
        Assert.Equal("connection closed due to certificate revocation", line.GetProperty("error").GetString());
        Assert.Equal(1, (direction == "inbound" ? rig.ServerLane : rig.ClientLane).Telemetry.Metrics.CrlRejections.With(reporter).Value);
    }

    private static async Task EndsAsync(Socket client)
    {
        try
        {
            Assert.Equal(0, await client.ReceiveAsync(new byte[1]));
        }
        catch (SocketException reset)
        {
            Assert.Equal(SocketError.ConnectionReset, reset.SocketErrorCode);
        }
    }
}
