using System.Diagnostics;
using Istio.V1.Auth;
using Mesh.Testing;
using Mesh.Xds.Grpc;
using Mesh.Xds.Tests.Grpc;

namespace Mesh.Xds.Tests.Interop;

/// <summary>grpcio (the C core) against our server, and our client against grpcio.</summary>
public sealed class PythonInteropTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);
    private static readonly GrpcMethod<IstioCertificateRequest, IstioCertificateResponse> Chat = GrpcTestServer.Echo with { FullName = "test.Echo/Chat" };

    [PythonGrpcFact]
    public async Task OurServer_DrivenByGrpcio_BehavesAsItExpects()
    {
        await using var server = await GrpcTestServer.StartAsync(e =>
        {
            e.MapGrpcUnary(GrpcTestServer.Echo, async (request, call) =>
            {
                switch (request.Csr)
                {
                    case "deny":
                        throw new GrpcException(GrpcStatusCode.PermissionDenied, "nicht für dich: 100%\n");
                    case "fail":
                        throw new InvalidOperationException("secret");
                    case "slow":
                        await Task.Delay(Timeout.Infinite, call.Cancellation);
                        break;
                }

                call.Trailers.Add("x-trailer-bin", [1, 2, 3]);
                var data = call.GetMetadata("x-data-bin") is { } text ? Convert.ToHexStringLower(new GrpcMetadataEntry("x-data-bin", text).ToBytes()) : "-";
                return new IstioCertificateResponse { CertChain = { $"{request.Csr} {call.GetMetadata("x_test")} {data}" } };
            });
            e.MapGrpcDuplex(Chat, async stream =>
            {
                while (await stream.ReadAsync() is { } request)
                    await stream.WriteAsync(new IstioCertificateResponse { CertChain = { request.Csr } });
            });
        });
        using var python = Start("client.py", server.Address.Authority);
        var output = await python.StandardOutput.ReadToEndAsync().WaitAsync(Limit);
        Assert.Equal(
            [
                "unary True OK b'\\x01\\x02\\x03'",
                "big True",
                "deny PERMISSION_DENIED nicht für dich: 100%",
                "",
                "fail INTERNAL internal error",
                "slow DEADLINE_EXCEEDED ",
                "nope UNIMPLEMENTED",
                "duplex True",
            ],
            output.TrimEnd().Split('\n'));
    }

    [PythonGrpcFact]
    public async Task OurClient_AgainstGrpcio_UnderstandsIt()
    {
        using var python = Start("server.py");
        try
        {
            var port = await python.StandardOutput.ReadLineAsync().WaitAsync(Limit);
            using var channel = new GrpcChannel(new GrpcChannelOptions { Address = new Uri($"http://127.0.0.1:{port}") });

            // A request that is a valid response too: field 1, text.
            var answer = await channel.UnaryAsync(GrpcTestServer.Echo, new IstioCertificateRequest { Csr = "hello" }).WaitAsync(Limit);
            Assert.Equal("hello", answer.CertChain.Single());

            var refused = await Assert.ThrowsAsync<GrpcException>(() => channel.UnaryAsync(GrpcTestServer.Echo, new IstioCertificateRequest()).WaitAsync(Limit));
            Assert.Equal(new GrpcStatus(GrpcStatusCode.FailedPrecondition, "leer: 100% für dich"), refused.Status);
            Assert.Equal("empty", refused.Trailers.Get("x-why"));

            var unknown = await Assert.ThrowsAsync<GrpcException>(() => channel.UnaryAsync(Chat with { FullName = "test.Echo/Nope" }, new IstioCertificateRequest()).WaitAsync(Limit));
            Assert.Equal(GrpcStatusCode.Unimplemented, unknown.Status.Code);

            await using var call = await channel.StartDuplexAsync(Chat);
            foreach (var size in (int[])[1, 100, 70_000, 3_000_000])
            {
                await call.WriteAsync(new IstioCertificateRequest { Csr = new string('x', size) }).WaitAsync(Limit);
                Assert.Equal(size, (await call.ReadAsync().WaitAsync(Limit))!.CertChain[0].Length);
            }

            await call.CompleteRequestsAsync();
            Assert.Null(await call.ReadAsync().WaitAsync(Limit));
        }
        finally
        {
            python.StandardInput.Close(); // the script ends with it
        }
    }

    private static Process Start(string script, params string[] arguments)
    {
        var start = new ProcessStartInfo(PythonGrpcFactAttribute.Python!, ["-X", "utf8", Path.Combine(AppContext.BaseDirectory, "Interop", script), .. arguments])
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        return Process.Start(start)!;
    }
}
