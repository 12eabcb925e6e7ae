using System.Net;
using System.Net.Sockets;
using FsCheck.Xunit;
using Mesh.Net;
using Mesh.Testing;
using Mesh.Ztunnel.Outbound;
using Mesh.Ztunnel.Tests.Forwarding;

namespace Mesh.Ztunnel.Tests.Outbound;

/// <summary>The SOCKS5 port (RFC 1928): what a program may ask for, what it is told otherwise, and that it cannot hold the door open.</summary>
public sealed class SocksHandshakeTests : IDisposable
{
    private static readonly byte[] Greeting = [5, 1, 0];
    private static readonly byte[] Accepted = [5, 0];

    private readonly List<Exception> _faults = [];
    private readonly ManualTimeProvider _time = new();
    private readonly EventLoop _loop;

    public SocksHandshakeTests() => _loop = EventLoop.Start("socks", new EventLoopOptions { Time = _time, UnhandledException = (fault, _) => _faults.Add(fault) });

    public void Dispose()
    {
        _loop.Dispose();
        Assert.Empty(_faults);
    }

    [Theory]
    [InlineData("01c6120102" + "0050", "198.18.1.2:80")]
    [InlineData("04fd000018000100000000000000000021" + "1f90", "[fd00:18:1::21]:8080")]
    [InlineData("0304" + "6563686f" + "0050", "198.18.2.1:80")]
    public async Task Request_OfAnyAddressType_IsTakenAndAnsweredBeforeTheUpstreamStands(string request, string expected)
    {
        var (target, said) = await PlayAsync([.. Greeting, 5, 1, 0, .. Convert.FromHexString(request)]);
        Assert.Equal(expected, target?.ToString());
        Assert.Equal([.. Accepted, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0], said);
    }

    [Theory]
    [InlineData("0401", "0507")] // version 4
    [InlineData("050102", "0507")] // only with a password
    [InlineData("0500", "0507")] // no method at all
    [InlineData("050100" + "05020001c61201020050", "0500" + "0507")] // BIND
    [InlineData("050100" + "05010005c61201020050", "0500" + "0507")] // an address type that nobody knows
    [InlineData("050100" + "0501000307" + "6e6f7768657265" + "0050", "0500" + "0504")] // a name that nobody knows
    public async Task Request_ThatIsNotServed_IsToldWhy(string request, string answer)
    {
        var (target, said) = await PlayAsync(Convert.FromHexString(request));
        Assert.Null(target);
        Assert.StartsWith(answer, Convert.ToHexStringLower(said), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Program_ThatSaysNothing_IsSentAwayAtTheDeadline()
    {
        var (proxy, program) = await TunnelPair.ApplicationAsync(_loop);
        using (program)
        {
            var story = _loop.InvokeAsync(() => new SocksHandshake(proxy, Nobody).RunAsync());
            await program.SendAsync(Greeting.AsMemory(0, 1));
            while (!story.IsCompleted)
            {
                _time.Advance(TimeSpan.FromSeconds(1));
                await _loop.InvokeAsync(() => true);
            }

            Assert.Null(await story);
        }
    }

    [Property(MaxTest = 200)]
    public void AnyBytes_EndTheHandshake(byte[] bytes)
    {
        var (target, said) = PlayAsync(bytes).GetAwaiter().GetResult();
        Assert.True(said.Length is 0 or 2 or 10 or 12);
        Assert.True(target is null || said.Length == 12);
    }

    private static ValueTask<IPAddress?> Nobody(string name, AddressFamily preferred) => new(name == "echo" ? IPAddress.Parse("198.18.2.1") : null);

    /// <summary>Says everything at once and ends; what was said back.</summary>
    private async Task<(IPEndPoint? Target, byte[] Said)> PlayAsync(byte[] bytes)
    {
        var (proxy, program) = await TunnelPair.ApplicationAsync(_loop);
        using (program)
        {
            if (bytes.Length > 0)
                await program.SendAsync(bytes);
            program.Shutdown(SocketShutdown.Send);
            var target = await _loop.InvokeAsync(() => new SocksHandshake(proxy, Nobody).RunAsync());
            await _loop.InvokeAsync(() =>
            {
                proxy.ShutdownSend();
                return true;
            });
            var said = new List<byte>();
            var buffer = new byte[64];
            while (await program.ReceiveAsync(buffer) is var count and > 0)
                said.AddRange(buffer.AsSpan(0, count));
            await _loop.InvokeAsync(() =>
            {
                proxy.Dispose();
                return true;
            });
            return (target, [.. said]);
        }
    }
}
