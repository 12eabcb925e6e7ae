using System.Security.Cryptography;

namespace Mesh.Net.Tests;

[Collection(Alone.Name)]
public sealed class TlsTransportTests
{
    private static readonly TestCertificates s_certificates = new();

    [Fact]
    public async Task Handshake_BetweenOurOwnTransports_AgreesOnAlpnAndShowsBothCertificates()
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var (client, server) = await ConnectAsync(test.Loop, test.Loop);
            Assert.Equal(("h2", "h2"), (client.Alpn, server.Alpn));
            Assert.Equal(s_certificates.Peer.Thumbprint, client.PeerCertificate!.Thumbprint);
            Assert.Equal(s_certificates.Peer.Thumbprint, server.PeerCertificate!.Thumbprint);
            client.Abort();
            server.Abort();
        });
        await test.Do(() => Assert.Equal(0, test.Loop.Metrics.OpenSockets));
    }

    [Fact]
    public async Task Handshake_OnItsWay_NeverLeavesTheLoopsThread()
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var (client, server) = await PairAsync(test.Loop, test.Loop);
            var threads = new HashSet<EventLoop?>();
            var options = s_certificates.Client();
            options.RemoteCertificateValidationCallback = (_, _, _, _) =>
            {
                threads.Add(EventLoop.Current);
                return true;
            };
            var serverSide = server.HandshakeAsServerAsync(s_certificates.Server(), TestLoop.Patience);
            Assert.True((await client.HandshakeAsClientAsync(options, TestLoop.Patience)).IsOk);
            Assert.True((await serverSide).IsOk);
            Assert.Same(test.Loop, Assert.Single(threads));
            client.Abort();
            server.Abort();
        });
    }

    [Fact]
    public async Task Transfer_Of64MiBToASlowReader_IsBoundedByBackPressureAndArrivesIntact()
    {
        using var one = new TestLoop();
        using var two = new TestLoop();
        const int Total = 64 << 20;
        var (client, server) = await ConnectAsync(one.Loop, two.Loop);
        var chunk = RandomNumberGenerator.GetBytes(200_000);
        using var expected = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var sent = 0;
        var mostPending = 0;
        var handler = new RecordingHandler();
        await one.Do(() =>
        {
            handler.OnDrain = Produce;
            client.Start(handler);
            Produce();
        });

        // Slow: pauses after every megabyte and goes on only when the sender has been stopped by back-pressure, or later by a timer.
        var receiver = new RecordingHandler();
        var pauses = 0;
        await two.Do(() =>
        {
            var next = 1 << 20;
            receiver.OnBytes = _ =>
            {
                if (receiver.Received < next)
                    return;
                next += 1 << 20;
                pauses++;
                server.PauseReceiving();
                two.Loop.Schedule(TimeSpan.FromMilliseconds(1), server.ResumeReceiving);
            };
            server.Start(receiver);
        });
        Assert.Equal(TransportEnding.ClosedByPeer, (await receiver.Closed).Ending);
        Assert.Equal(TransportEnding.ClosedHere, (await handler.Closed).Ending);
        Assert.Equal(Total, receiver.Received);
        Assert.Equal(Convert.ToHexString(expected.GetCurrentHash()), receiver.Hash());
        Assert.True(handler.Drained > 0, "the sender was never congested");
        Assert.True(pauses >= 32);
        Assert.InRange(mostPending, 1, (256 + 512) * 1024);

        void Produce()
        {
            while (!client.IsCongested && sent < Total)
            {
                var piece = chunk.AsMemory(0, Math.Min(chunk.Length, Total - sent));
                client.Write(piece);
                expected.AppendData(piece.Span);
                sent += piece.Length;
                mostPending = Math.Max(mostPending, client.PendingBytes);
            }

            if (sent == Total)
                client.CloseAfterFlush();
        }
    }

    [Fact]
    public async Task Close_InOrder_IsSeenAsSuchByThePeer()
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var (client, server) = await ConnectAsync(test.Loop, test.Loop);
            var (closing, closed) = (new RecordingHandler(), new RecordingHandler { Keep = true });
            client.Start(closing);
            server.Start(closed);
            client.Write("last words"u8.ToArray());
            client.CloseAfterFlush();
            Assert.Equal((TransportEnding.ClosedByPeer, null), await closed.Closed);
            Assert.Equal("last words"u8.ToArray(), closed.Bytes);
            Assert.Equal((TransportEnding.ClosedHere, null), await closing.Closed);
        });
        await test.Do(() => Assert.Equal((0L, 0L), (test.Loop.Metrics.OpenSockets, test.Loop.Metrics.RentedBytes)));
    }

    [Fact]
    public async Task End_WithoutCloseNotify_IsTruncation()
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var (client, server) = await ConnectAsync(test.Loop, test.Loop);
            var handler = new RecordingHandler();
            server.Start(handler);
            client.Socket.ShutdownSend();
            Assert.Equal(TransportEnding.Truncated, (await handler.Closed).Ending);
            client.Abort();
        });
    }

    [Fact]
    public async Task Abort_ByThePeer_IsReset()
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var (client, server) = await ConnectAsync(test.Loop, test.Loop);
            var handler = new RecordingHandler();
            server.Start(handler);
            client.Abort();
            Assert.Equal(TransportEnding.Reset, (await handler.Closed).Ending);
            server.Write(new byte[100]);
        });
    }

    [Fact]
    public async Task Garbage_InsteadOfARecord_IsATlsFailure()
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var (client, server) = await ConnectAsync(test.Loop, test.Loop);
            var handler = new RecordingHandler();
            server.Start(handler);
            var forged = new byte[200];
            (forged[0], forged[1], forged[2], forged[4]) = (23, 3, 3, 195);
            Assert.Equal(IoStatus.Done, client.Socket.TrySend(forged, out _));
            var (ending, detail) = await handler.Closed;
            Assert.Equal(TransportEnding.TlsFailure, ending);
            Assert.False(string.IsNullOrEmpty(detail));
            client.Abort();
        });
    }

    [Fact]
    public async Task ReadAndWrite_InTheSteadyState_AllocateNothing()
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var (client, server) = await ConnectAsync(test.Loop, test.Loop);
            Assert.Equal(0, await PingPong.MeasureAsync(test.Loop, client, server, 1000));
        });
    }

    [Fact]
    public async Task Connection_ThatIsIdle_HoldsNoBuffer()
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var (client, server) = await ConnectAsync(test.Loop, test.Loop);
            var (one, two) = (new RecordingHandler(), new RecordingHandler());
            client.Start(one);
            server.Start(two);
            client.Write(new byte[40_000]);
            server.Write(new byte[100]);
            await two.ReceivedAsync(40_000);
            await one.ReceivedAsync(100);
            await Task.Yield();
            Assert.Equal(0, test.Loop.Metrics.RentedBytes);
            client.Abort();
            server.Abort();
        });
    }

    [Fact]
    public async Task Connections_ThatAreIdle_CostOpenSslNoRecordBuffers()
    {
        // Its buffers (64 KiB to receive, 16 KiB to send) would be several times what the rest of a connection takes.
        const int Connections = 40;
        const int MostPerEnd = 40 * 1024;
        using var test = new TestLoop();
        var (clientOptions, serverOptions) = (s_certificates.Client(), s_certificates.Server()); // one certificate context, hence one context of OpenSSL
        await test.Run(async () =>
        {
            var first = await TalkAsync();
            var before = NativeHeap.AllocatedBytes();
            var ends = new List<TlsTransport>();
            for (var i = 0; i < Connections; i++)
                ends.AddRange(await TalkAsync());
            var perEnd = (NativeHeap.AllocatedBytes() - before) / ends.Count;
            Assert.True(perEnd < MostPerEnd, $"{perEnd} bytes of native memory per idle end");
            foreach (var end in ends.Concat(first))
                end.Abort();
        });

        async Task<TlsTransport[]> TalkAsync()
        {
            var (client, server) = await PairAsync(test.Loop, test.Loop);
            var serverSide = server.HandshakeAsServerAsync(serverOptions, TestLoop.Patience);
            Assert.True((await client.HandshakeAsClientAsync(clientOptions, TestLoop.Patience)).IsOk);
            Assert.True((await serverSide).IsOk);
            var (one, two) = (new RecordingHandler(), new RecordingHandler());
            client.Start(one);
            server.Start(two);
            client.Write(new byte[40_000]);
            server.Write(new byte[40_000]);
            await two.ReceivedAsync(40_000);
            await one.ReceivedAsync(40_000);
            return [client, server];
        }
    }

    [Fact]
    public async Task Handshake_WhoseCheckEndsTheTransport_IsNotAFault()
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var (client, server) = await PairAsync(test.Loop, test.Loop);
            var options = s_certificates.Client();
            options.RemoteCertificateValidationCallback = (_, _, _, _) =>
            {
                client.Abort();
                return true;
            };
            var serverSide = server.HandshakeAsServerAsync(s_certificates.Server(), TestLoop.Patience);
            Assert.False((await client.HandshakeAsClientAsync(options, TestLoop.Patience)).IsOk);
            Assert.False((await serverSide).IsOk);
        });
        await test.Do(() => Assert.Equal(0, test.Loop.Metrics.OpenSockets));
    }

    [Fact]
    public async Task Tls_InsideTls_CarriesBytesBothWaysAndEndsInOrder()
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var (outerClient, outerServer) = await ConnectAsync(test.Loop, test.Loop);
            var client = new TlsTransport((ITransport)outerClient);
            var server = new TlsTransport((ITransport)outerServer);
            var serverSide = server.HandshakeAsServerAsync(s_certificates.Server(), TestLoop.Patience);
            var clientSide = await client.HandshakeAsClientAsync(s_certificates.Client(), TestLoop.Patience);
            Assert.True(clientSide.IsOk, clientSide.Text);
            Assert.True((await serverSide).IsOk);
            var (one, two) = (new RecordingHandler(), new RecordingHandler(server));
            client.Start(one);
            server.Start(two);
            var data = RandomNumberGenerator.GetBytes(3_000_000);
            client.Write(data);
            await one.ReceivedAsync(data.Length);
            Assert.Equal(Convert.ToHexString(SHA256.HashData(data)), one.Hash());
            client.CloseAfterFlush();
            Assert.Equal(TransportEnding.ClosedByPeer, (await two.Closed).Ending);
            Assert.Equal(TransportEnding.ClosedHere, (await one.Closed).Ending);
        });
        await test.Do(() => Assert.Equal((0L, 0L), (test.Loop.Metrics.OpenSockets, test.Loop.Metrics.RentedBytes)));
    }

    [Fact]
    public async Task LoopDispose_DuringUse_EndsTransportsWithoutLeavingAnyoneWaiting()
    {
        var test = new TestLoop();
        var handler = new RecordingHandler();
        var handshake = new TaskCompletionSource<TlsHandshakeResult>();
        await test.Run(async () =>
        {
            var (client, server) = await ConnectAsync(test.Loop, test.Loop);
            server.Start(handler);
            client.Start(new RecordingHandler());
            var (waiting, _) = await PairAsync(test.Loop, test.Loop);
            test.Loop.Spawn(async () => handshake.SetResult(await waiting.HandshakeAsServerAsync(s_certificates.Server(), TestLoop.Patience)));
        });
        test.Dispose();
        Assert.Equal(TransportEnding.Failed, (await handler.Closed).Ending);
        Assert.False((await handshake.Task.WaitAsync(TestLoop.Patience)).IsOk);
        Assert.Equal(0, test.Loop.Metrics.RentedBytes);
    }

    internal static async Task<(TlsTransport Client, TlsTransport Server)> PairAsync(EventLoop clientLoop, EventLoop serverLoop)
    {
        var (client, server) = await Sockets.PairAsync(clientLoop, serverLoop);
        return (new TlsTransport(client), new TlsTransport(server));
    }

    internal static async Task<(TlsTransport Client, TlsTransport Server)> ConnectAsync(EventLoop clientLoop, EventLoop serverLoop)
    {
        var (client, server) = await PairAsync(clientLoop, serverLoop);
        var serverSide = serverLoop.InvokeAsync(async () => await server.HandshakeAsServerAsync(s_certificates.Server(), TestLoop.Patience));
        var clientSide = await clientLoop.InvokeAsync(async () => await client.HandshakeAsClientAsync(s_certificates.Client(), TestLoop.Patience));
        Assert.True(clientSide.IsOk, clientSide.Text);
        Assert.True((await serverSide).IsOk);
        return (client, server);
    }
}
