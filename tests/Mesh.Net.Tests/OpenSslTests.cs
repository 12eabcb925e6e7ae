using System.Diagnostics;
using System.Globalization;
using System.Net;
using Mesh.Testing;

namespace Mesh.Net.Tests;

/// <summary>Our transports against the command line of OpenSSL: not our code on both ends.</summary>
public sealed class OpenSslTests : IDisposable
{
    private static readonly TestCertificates s_certificates = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("mesh-tls").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [ToolFact("openssl")]
    public async Task Server_ForOpenSslAsClient_AuthenticatesItAndEchoes()
    {
        var (certificate, key, root) = s_certificates.Save(_folder);
        using var test = new TestLoop();
        var accepted = new TaskCompletionSource<LoopSocket>();
        var listener = await test.Get(() => LoopListener.Listen(test.Loop, new ListenOptions { EndPoint = Sockets.AnyLoopback }, accepted.SetResult));
        using var openssl = Start("s_client", "-connect", listener.LocalEndPoint.ToString(), "-cert", certificate, "-key", key, "-CAfile", root,
            "-verify_return_error", "-verify_hostname", "peer.test", "-tls1_3", "-alpn", "h2", "-quiet", "-ign_eof");
        var handler = await test.Run(async () =>
        {
            var transport = new TlsTransport(await accepted.Task);
            var result = await transport.HandshakeAsServerAsync(s_certificates.Server(), TestLoop.Patience);
            Assert.True(result.IsOk, result.Text);
            Assert.Equal("h2", transport.Alpn);
            Assert.Equal(s_certificates.Peer.Thumbprint, transport.PeerCertificate!.Thumbprint);
            RecordingHandler? recording = null;
            recording = new RecordingHandler(transport) { Keep = true, OnBytes = _ => CloseAfter(recording!, transport) };
            transport.Start(recording);
            return recording;
        });
        await openssl.StandardInput.WriteLineAsync("hello from openssl");
        await openssl.StandardInput.FlushAsync();
        Assert.Equal("hello from openssl", (await openssl.StandardOutput.ReadToEndAsync().WaitAsync(TestLoop.Patience)).Trim());
        Assert.Equal(TransportEnding.ClosedHere, (await handler.Closed).Ending);
        await openssl.WaitForExitAsync().WaitAsync(TestLoop.Patience);
        Assert.Equal(0, openssl.ExitCode);

        static void CloseAfter(RecordingHandler recording, TlsTransport transport)
        {
            if (recording.Received >= 19)
                transport.CloseAfterFlush();
        }
    }

    [ToolFact("openssl")]
    public async Task Client_OfOpenSslAsServer_IsAuthenticatedAndHearsTheEcho()
    {
        var (certificate, key, root) = s_certificates.Save(_folder);
        var port = Ports.Unused();
        using var openssl = Start("s_server", "-accept", $"127.0.0.1:{port}", "-cert", certificate, "-key", key, "-CAfile", root,
            "-Verify", "1", "-verify_return_error", "-tls1_3", "-alpn", "h2", "-rev", "-naccept", "1");
        await UntilAsync(openssl.StandardOutput, "ACCEPT");
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var transport = new TlsTransport(await Sockets.ConnectAsync(test.Loop, new IPEndPoint(IPAddress.Loopback, port)));
            var result = await transport.HandshakeAsClientAsync(s_certificates.Client(), TestLoop.Patience);
            Assert.True(result.IsOk, result.Text);
            Assert.Equal("h2", transport.Alpn);
            var handler = new RecordingHandler { Keep = true };
            transport.Start(handler);
            transport.Write("desserts\n"u8.ToArray());
            await handler.ReceivedAsync(9);
            Assert.Equal("stressed\n"u8.ToArray(), handler.Bytes);
            transport.CloseAfterFlush();
            Assert.Equal(TransportEnding.ClosedHere, (await handler.Closed).Ending);
        });
    }

    [ToolFact("openssl")]
    public async Task Client_ThatOpenSslRefusesDuringTheHandshake_NamesTheAlert()
    {
        var (certificate, key, root) = s_certificates.Save(_folder);
        var (openssl, transport, test) = await ToServerAsync("-cert", certificate, "-key", key, "-CAfile", root, "-tls1_2");
        using (openssl)
        using (test)
        {
            var result = await test.Run(async () => await transport.HandshakeAsClientAsync(s_certificates.Client(), TestLoop.Patience));
            Assert.Equal(TlsFailure.PeerAlert, result.Failure);
            Assert.Contains("protocol_version", result.Text, StringComparison.OrdinalIgnoreCase);
        }
    }

    [ToolFact("openssl")]
    public async Task Client_ThatOpenSslRefusesAfterItsHandshake_NamesTheAlertAsTheEnding()
    {
        var (certificate, key, _) = s_certificates.Save(_folder);
        var strangers = Directory.CreateDirectory(Path.Combine(_folder, "strangers")).FullName;
        var (_, _, otherRoot) = new TestCertificates().Save(strangers);
        var (openssl, transport, test) = await ToServerAsync("-cert", certificate, "-key", key, "-CAfile", otherRoot, "-Verify", "1", "-verify_return_error", "-tls1_3");
        using (openssl)
        using (test)
        {
            await test.Run(async () =>
            {
                Assert.True((await transport.HandshakeAsClientAsync(s_certificates.Client(), TestLoop.Patience)).IsOk);
                var handler = new RecordingHandler();
                transport.Start(handler);
                var (ending, detail) = await handler.Closed;
                Assert.Equal(TransportEnding.TlsFailure, ending);
                Assert.Contains("unknown_ca", detail, StringComparison.Ordinal);
            });
        }
    }

    private static async Task<(Process OpenSsl, TlsTransport Transport, TestLoop Test)> ToServerAsync(params string[] arguments)
    {
        var port = Ports.Unused();
        var openssl = Start(["s_server", "-accept", $"127.0.0.1:{port}", "-naccept", "1", .. arguments]);
        await UntilAsync(openssl.StandardOutput, "ACCEPT");
        var test = new TestLoop();
        var transport = await test.Run(async () => new TlsTransport(await Sockets.ConnectAsync(test.Loop, new IPEndPoint(IPAddress.Loopback, port))));
        return (openssl, transport, test);
    }

    private static Process Start(params string[] arguments)
    {
        // openssl has no deadline of its own; `timeout` ends it whatever happens to the test.
        var start = new ProcessStartInfo("timeout") { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in (string[])["120", Prerequisites.FindTool("openssl")!, .. arguments])
            start.ArgumentList.Add(argument);
        var process = Process.Start(start)!;
        process.ErrorDataReceived += static (_, _) => { };
        process.BeginErrorReadLine();
        return process;
    }

    private static async Task UntilAsync(StreamReader output, string word)
    {
        while (await output.ReadLineAsync().WaitAsync(TestLoop.Patience) is { } line)
        {
            if (line.Contains(word, StringComparison.Ordinal))
                return;
        }

        Assert.Fail($"openssl ended without saying {word}");
    }
}
