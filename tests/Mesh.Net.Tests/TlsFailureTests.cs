using System.Security.Authentication;

namespace Mesh.Net.Tests;

/// <summary>Each way in which a handshake fails, from both ends.</summary>
public sealed class TlsFailureTests
{
    private static readonly TestCertificates s_ours = new();
    private static readonly TestCertificates s_strangers = new();

    [Fact]
    public async Task Certificate_OfAnUnknownAuthority_IsNamedSoOnBothEnds()
    {
        var (client, server) = await FailAsync(s_ours, s_strangers);
        Assert.True(client.Failure == TlsFailure.UnknownAuthority, $"{client.Failure}: {client.Text}");
        Assert.True(server.Failure == TlsFailure.PeerAlert, $"{server.Failure}: {server.Text}");
        Assert.Contains("unknown_ca", server.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Certificate_ThatHasExpired_IsABadCertificate()
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var (client, server) = await TlsTransportTests.PairAsync(test.Loop, test.Loop);
            var options = s_ours.Server(clientCertificate: false);
            options.ServerCertificateContext = System.Net.Security.SslStreamCertificateContext.Create(s_ours.Issue("peer.test", expired: true), null, offline: true);
            var serverSide = server.HandshakeAsServerAsync(options, TestLoop.Patience);
            var result = await client.HandshakeAsClientAsync(s_ours.Client(), TestLoop.Patience);
            Assert.True(result.Failure == TlsFailure.BadCertificate, $"{result.Failure}: {result.Text}");
            Assert.Contains("NotTimeValid", result.Text, StringComparison.Ordinal);
            await serverSide;
            server.Abort();
        });
    }

    [Fact]
    public async Task Certificate_RefusedByTheOptionsCallback_IsABadCertificate()
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var (client, server) = await TlsTransportTests.PairAsync(test.Loop, test.Loop);
            var options = s_ours.Client();
            options.RemoteCertificateValidationCallback = (_, _, _, _) => false;
            var serverSide = server.HandshakeAsServerAsync(s_ours.Server(clientCertificate: false), TestLoop.Patience);
            Assert.Equal(TlsFailure.BadCertificate, (await client.HandshakeAsClientAsync(options, TestLoop.Patience)).Failure);
            await serverSide;
            server.Abort();
        });
    }

    [Theory]
    [InlineData(TlsRefusal.BadCertificate, "bad_certificate")]
    [InlineData(TlsRefusal.UnknownAuthority, "unknown_ca")]
    [InlineData(TlsRefusal.Expired, "certificate_expired")]
    [InlineData(TlsRefusal.Revoked, "certificate_revoked")]
    [InlineData(TlsRefusal.WrongUsage, "unsupported_certificate")]
    [InlineData(TlsRefusal.NotAllowed, "certificate_unknown")]
    public async Task Peer_ThatIsRefused_IsToldWhyByTheAlert(TlsRefusal refusal, string alert)
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var (client, server) = await TlsTransportTests.PairAsync(test.Loop, test.Loop);
            var options = s_ours.Client();
            options.RemoteCertificateValidationCallback = (_, _, _, _) => false;
            var serverSide = server.HandshakeAsServerAsync(s_ours.Server(clientCertificate: false), TestLoop.Patience);
            Assert.False((await client.HandshakeAsClientAsync(options, TestLoop.Patience, () => refusal)).IsOk);
            var result = await serverSide;
            Assert.Equal(TlsFailure.PeerAlert, result.Failure);
            Assert.Contains($"({alert})", result.Text, StringComparison.Ordinal);
        });
    }

    [Fact]
    public async Task Check_ThatThrows_RefusesThePeer()
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var (client, server) = await TlsTransportTests.PairAsync(test.Loop, test.Loop);
            var options = s_ours.Client();
            options.RemoteCertificateValidationCallback = (_, _, _, _) => throw new InvalidOperationException("on purpose");
            var serverSide = server.HandshakeAsServerAsync(s_ours.Server(clientCertificate: false), TestLoop.Patience);
            var result = await client.HandshakeAsClientAsync(options, TestLoop.Patience);
            Assert.Equal(TlsFailure.BadCertificate, result.Failure);
            Assert.Contains("on purpose", result.Text, StringComparison.Ordinal);
            Assert.False((await serverSide).IsOk);
        });
    }

    [Fact]
    public async Task Certificate_OfAnotherName_IsRefusedWhereTheOptionsNameOne()
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var (client, server) = await TlsTransportTests.PairAsync(test.Loop, test.Loop);
            var options = s_ours.Client();
            options.TargetHost = "other.test";
            var serverSide = server.HandshakeAsServerAsync(s_ours.Server(clientCertificate: false), TestLoop.Patience);
            Assert.Equal(TlsFailure.BadCertificate, (await client.HandshakeAsClientAsync(options, TestLoop.Patience)).Failure);
            Assert.False((await serverSide).IsOk);
        });
    }

    [Fact]
    public async Task Client_WithoutACertificate_IsRefusedForThat()
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var (client, server) = await TlsTransportTests.PairAsync(test.Loop, test.Loop);
            var clientSide = client.HandshakeAsClientAsync(s_ours.Client(withCertificate: false), TestLoop.Patience);
            var result = await server.HandshakeAsServerAsync(s_ours.Server(), TestLoop.Patience);
            Assert.True(result.Failure == TlsFailure.NoCertificate, $"{result.Failure}: {result.Text}");

            // With TLS 1.3 the client has finished before it is judged; it learns by an alert on the connection that it believes to have.
            Assert.True((await clientSide).IsOk);
            var handler = new RecordingHandler();
            client.Start(handler);
            client.Write(new byte[1000]);
            var (ending, detail) = await handler.Closed;
            Assert.True(ending is TransportEnding.TlsFailure, $"{ending}: {detail}");
            Assert.Contains("certificate_required", detail, StringComparison.Ordinal);
        });
    }

    [Fact]
    public async Task Version_ThatTheOtherEndDoesNotSpeak_IsNamedSo()
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var (client, server) = await TlsTransportTests.PairAsync(test.Loop, test.Loop);
            var clientSide = client.HandshakeAsClientAsync(s_ours.Client(protocols: SslProtocols.Tls12), TestLoop.Patience);
            var result = await server.HandshakeAsServerAsync(s_ours.Server(), TestLoop.Patience);
            Assert.True(result.Failure == TlsFailure.ProtocolVersion, $"{result.Failure}: {result.Text}");
            var other = await clientSide;
            Assert.True(other.Failure == TlsFailure.PeerAlert, $"{other.Failure}: {other.Text}");
            Assert.Contains("protocol_version", other.Text, StringComparison.OrdinalIgnoreCase);
        });
    }

    [Fact]
    public async Task Peer_ThatSaysNothing_RunsIntoTheDeadline()
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var (silent, server) = await Sockets.PairAsync(test.Loop);
            var result = await new TlsTransport(server).HandshakeAsServerAsync(s_ours.Server(), TimeSpan.FromMilliseconds(50));
            Assert.Equal(TlsFailure.Timeout, result.Failure);
            Assert.Equal(IoStatus.Failed, await Sockets.EndAsync(silent));
            silent.Dispose();
        });
        await test.Do(() => Assert.Equal((0L, 0L), (test.Loop.Metrics.OpenSockets, test.Loop.Metrics.ActiveTimers)));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Peer_ThatGoesAwayHalfWay_IsNamedSo(bool byReset)
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var (leaving, server) = await Sockets.PairAsync(test.Loop);
            var handshake = new TlsTransport(server).HandshakeAsServerAsync(s_ours.Server(), TestLoop.Patience);
            await Sockets.SendAllAsync(leaving, new byte[] { 22, 3, 1 });
            if (byReset)
                leaving.Abort();
            else
                leaving.Dispose();
            Assert.Equal(TlsFailure.PeerClosed, (await handshake).Failure);
        });
    }

    [Fact]
    public async Task Peer_ThatSpeaksHttp_IsNotTls()
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var (plain, server) = await Sockets.PairAsync(test.Loop);
            var handshake = new TlsTransport(server).HandshakeAsServerAsync(s_ours.Server(), TestLoop.Patience);
            await Sockets.SendAllAsync(plain, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"u8.ToArray());
            var result = await handshake;
            Assert.Equal(TlsFailure.Other, result.Failure);
            Assert.False(string.IsNullOrEmpty(result.Text));
            plain.Dispose();
        });
    }

    [Fact]
    public async Task Write_BeforeTheHandshake_IsAMistakeOfTheCaller()
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var (client, server) = await TlsTransportTests.PairAsync(test.Loop, test.Loop);
            Assert.Throws<InvalidOperationException>(() => client.Write(new byte[1]));
            Assert.Throws<InvalidOperationException>(() => client.Start(new RecordingHandler()));
            client.Abort();
            server.Abort();
        });
    }

    private static async Task<(TlsHandshakeResult Client, TlsHandshakeResult Server)> FailAsync(TestCertificates clientTrusts, TestCertificates serverHas)
    {
        using var test = new TestLoop();
        return await test.Run(async () =>
        {
            var (client, server) = await TlsTransportTests.PairAsync(test.Loop, test.Loop);
            var serverSide = server.HandshakeAsServerAsync(serverHas.Server(), TestLoop.Patience);
            var clientSide = await client.HandshakeAsClientAsync(clientTrusts.Client(), TestLoop.Patience);
            return (clientSide, await serverSide);
        });
    }
}
