using Istio.V1.Auth;
using Mesh.Xds.Grpc;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using static Mesh.Xds.Tests.Grpc.GrpcTestServer;

namespace Mesh.Xds.Tests.Grpc;

public sealed class GrpcCallTests
{
    [Fact]
    public async Task Unary_Answered_CarriesMessageAndMetadata()
    {
        await using var server = await StartAsync(e => e.MapGrpcUnary(Echo, (request, call) =>
        {
            call.Trailers.Add("x-seen", call.GetMetadata("x_test") ?? "none");
            return Task.FromResult(Text($"{request.Csr} {call.BearerToken}"));
        }));
        using var channel = server.Channel(o => o with { Credentials = TokenCredentials.FromLiteral("secret", "Kubernetes") });
        var answer = await channel.UnaryAsync(Echo, new IstioCertificateRequest { Csr = "hello" }, new GrpcCallOptions { Metadata = new GrpcMetadata().Add("x_test", "xv") });
        Assert.Equal("hello secret", answer.CertChain.Single());
    }

    [Fact]
    public async Task Unary_RefusedByTheHandler_HasItsStatusTextAndTrailers()
    {
        await using var server = await StartAsync(e => e.MapGrpcUnary(Echo, (_, _) =>
            throw new GrpcException(new GrpcStatus(GrpcStatusCode.PermissionDenied, "nicht für dich: 100%")) { Trailers = new GrpcMetadata().Add("x-why", "policy") }));
        using var channel = server.Channel();
        var failure = await Assert.ThrowsAsync<GrpcException>(() => channel.UnaryAsync(Echo, new IstioCertificateRequest()));
        Assert.Equal(new GrpcStatus(GrpcStatusCode.PermissionDenied, "nicht für dich: 100%"), failure.Status);
        Assert.Equal(GrpcFailurePhase.Opening, failure.Phase);
        Assert.Equal("policy", failure.Trailers.Get("x-why"));
    }

    [Fact]
    public async Task Unary_AnsweredBeforeItsBodyBegan_EndsWithThatAnswer()
    {
        using var transport = new EarlyAnswer();
        using var channel = new GrpcChannel(new GrpcChannelOptions { Address = new Uri("http://early.test") }, transport);
        var failure = await Assert.ThrowsAsync<GrpcException>(() => channel.UnaryAsync(Echo, new IstioCertificateRequest()).WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.Equal(GrpcStatusCode.Unimplemented, failure.Status.Code);
    }

    [Fact]
    public async Task Unary_HandlerFailsUnexpectedly_TellsTheOwnerButNotTheClient()
    {
        Exception? seen = null;
        await using var server = await StartAsync(e => e.MapGrpcUnary(
            Echo, (_, _) => throw new InvalidOperationException("password=hunter2"), new GrpcServerOptions { UnexpectedFailure = (_, x) => seen = x }));
        using var channel = server.Channel();
        var failure = await Assert.ThrowsAsync<GrpcException>(() => channel.UnaryAsync(Echo, new IstioCertificateRequest()));
        Assert.Equal(GrpcStatusCode.Internal, failure.Status.Code);
        Assert.DoesNotContain("hunter2", failure.Message, StringComparison.Ordinal);
        Assert.Equal("password=hunter2", seen?.Message);
    }

    [Fact]
    public async Task Unary_UnknownMethod_IsUnimplemented()
    {
        await using var server = await StartAsync(_ => { });
        using var channel = server.Channel();
        var failure = await Assert.ThrowsAsync<GrpcException>(() => channel.UnaryAsync(Echo, new IstioCertificateRequest()));
        Assert.Equal(GrpcStatusCode.Unimplemented, failure.Status.Code);
    }

    [Fact]
    public async Task Unary_OfTwentyMegabytes_ArrivesBothWays()
    {
        await using var server = await StartAsync(e => e.MapGrpcUnary(Echo, (request, _) => Task.FromResult(Text(request.Csr))));
        using var channel = server.Channel();
        var text = new string('x', 20 << 20);
        Assert.Equal(text.Length, (await channel.UnaryAsync(Echo, new IstioCertificateRequest { Csr = text })).CertChain[0].Length);
    }

    [Fact]
    public async Task Unary_LargerThanTheClientTakes_IsResourceExhausted()
    {
        await using var server = await StartAsync(e => e.MapGrpcUnary(Echo, (_, _) => Task.FromResult(Text(new string('x', 2000)))));
        using var channel = server.Channel(o => o with { MaxReceiveMessageSize = 1000 });
        var failure = await Assert.ThrowsAsync<GrpcException>(() => channel.UnaryAsync(Echo, new IstioCertificateRequest()));
        Assert.Equal(GrpcStatusCode.ResourceExhausted, failure.Status.Code);
    }

    [Fact]
    public async Task Unary_PastItsDeadline_EndsOnBothSides()
    {
        var ended = new TaskCompletionSource();
        await using var server = await StartAsync(e => e.MapGrpcUnary(Echo, async (_, call) =>
        {
            try
            {
                await Task.Delay(Timeout.Infinite, call.Cancellation);
            }
            finally
            {
                ended.SetResult();
            }

            return Text("never");
        }));
        using var channel = server.Channel();
        var failure = await Assert.ThrowsAsync<GrpcException>(() =>
            channel.UnaryAsync(Echo, new IstioCertificateRequest(), new GrpcCallOptions { Timeout = TimeSpan.FromMilliseconds(100) }));
        Assert.Equal(GrpcStatusCode.DeadlineExceeded, failure.Status.Code);
        await ended.Task.WaitAsync(Limit);
    }

    [Fact]
    public async Task Duplex_MessagesInBothDirections_KeepTheirOrder()
    {
        await using var server = await StartAsync(e => e.MapGrpcDuplex(Echo, async stream =>
        {
            while (await stream.ReadAsync() is { } request)
                await stream.WriteAsync(Text(request.Csr));
        }));
        using var channel = server.Channel();
        await using var call = await channel.StartDuplexAsync(Echo);
        for (var i = 0; i < 100; i++)
        {
            await call.WriteAsync(new IstioCertificateRequest { Csr = $"{i}" });
            Assert.Equal($"{i}", (await call.ReadAsync())!.CertChain[0]);
        }

        await call.CompleteRequestsAsync();
        Assert.Null(await call.ReadAsync());
    }

    [Fact]
    public async Task Duplex_ServerSpeaksFirst_NeedsNoRequest()
    {
        await using var server = await StartAsync(e => e.MapGrpcDuplex(Echo, async stream => await stream.WriteAsync(Text("first"))));
        using var channel = server.Channel();
        await using var call = await channel.StartDuplexAsync(Echo);
        Assert.Equal("first", (await call.ReadAsync())!.CertChain[0]);
        Assert.Null(await call.ReadAsync());
    }

    [Fact]
    public async Task Duplex_StatusAfterMessages_ComesAfterThem()
    {
        await using var server = await StartAsync(e => e.MapGrpcDuplex(Echo, async stream =>
        {
            await stream.WriteAsync(Text("one"));
            throw new GrpcException(GrpcStatusCode.Unavailable, "transport is closing");
        }));
        using var channel = server.Channel();
        await using var call = await channel.StartDuplexAsync(Echo);
        Assert.NotNull(await call.ReadAsync());
        var failure = await Assert.ThrowsAsync<GrpcException>(call.ReadAsync);
        Assert.Equal((GrpcStatusCode.Unavailable, GrpcFailurePhase.Status), (failure.Status.Code, failure.Phase));
    }

    [Fact]
    public async Task Duplex_ClientGoesAway_CancelsTheServer()
    {
        var cancelled = new TaskCompletionSource();
        await using var server = await StartAsync(e => e.MapGrpcDuplex(Echo, async stream =>
        {
            await stream.SendHeadersAsync();
            await using var _ = stream.Cancellation.Register(cancelled.SetResult);
            await stream.ReadAsync();
        }));
        using var channel = server.Channel();
        var call = await channel.StartDuplexAsync(Echo);
        await call.WaitForHeadersAsync();
        await call.DisposeAsync();
        await cancelled.Task.WaitAsync(Limit);
    }

    [Fact]
    public async Task Duplex_ServerResetsTheStream_IsAStatusNotALostConnection()
    {
        await using var server = await StartAsync(e => e.MapGrpcDuplex(Echo, async stream =>
        {
            await stream.WriteAsync(Text("one"));
            stream.Abort();
        }));
        using var channel = server.Channel();
        await using var call = await channel.StartDuplexAsync(Echo);
        var failure = await Assert.ThrowsAsync<GrpcException>(async () =>
        {
            while (await call.ReadAsync() is not null)
            {
            }
        });
        Assert.True(failure.Status.Code == GrpcStatusCode.Cancelled, failure.ToString());
    }

    [Fact]
    public async Task Duplex_ServerProcessGone_IsALostTransport()
    {
        var server = await StartAsync(e => e.MapGrpcDuplex(Echo, async stream =>
        {
            await stream.SendHeadersAsync();
            await Task.Delay(Timeout.Infinite, stream.Http.RequestAborted);
        }));
        using var channel = server.Channel();
        await using var call = await channel.StartDuplexAsync(Echo);
        await call.WaitForHeadersAsync();
        var reading = call.ReadAsync();
        await server.DisposeAsync();
        var failure = await Assert.ThrowsAsync<GrpcException>(() => reading.WaitAsync(Limit));
        Assert.NotEqual(GrpcFailurePhase.Opening, failure.Phase);
        Assert.NotEqual(Mesh.Xds.Client.XdsTermination.ConnectionError, Mesh.Xds.Client.XdsTerminations.Classify(failure));
    }

    [Fact]
    public async Task Duplex_ClientThatDoesNotRead_HoldsTheWriterBack()
    {
        var written = 0;
        var stalled = new TaskCompletionSource();
        await using var server = await StartAsync(e => e.MapGrpcDuplex(Echo, async stream =>
        {
            var text = Text(new string('x', 1 << 20));
            while (true)
            {
                var write = stream.WriteAsync(text).AsTask();
                if (await Task.WhenAny(write, Task.Delay(500, CancellationToken.None)) != write)
                    stalled.TrySetResult();
                await write;
                written++;
            }
        }));
        using var channel = server.Channel();
        await using var call = await channel.StartDuplexAsync(Echo);
        await call.WaitForHeadersAsync();
        await stalled.Task.WaitAsync(Limit);
        Assert.InRange(written, 0, 64); // windows and socket buffers, never "all of it"
    }

    [Fact]
    public async Task Call_ToAPortThatNobodyListensOn_IsUnavailableWhileOpening()
    {
        using var channel = new GrpcChannel(new GrpcChannelOptions { Address = new Uri("http://127.0.0.1:1") });
        var failure = await Assert.ThrowsAsync<GrpcException>(() => channel.UnaryAsync(Echo, new IstioCertificateRequest()));
        Assert.Equal((GrpcStatusCode.Unavailable, GrpcFailurePhase.Opening), (failure.Status.Code, failure.Phase));
        Assert.Contains("127.0.0.1:1", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Call_AnsweredByAWebServer_SaysWhatCameInstead()
    {
        await using var server = await StartAsync(e => e.Map("/test.Echo/Say", (HttpContext http) => http.Response.WriteAsync("<html>")));
        using var channel = server.Channel();
        var failure = await Assert.ThrowsAsync<GrpcException>(() => channel.UnaryAsync(Echo, new IstioCertificateRequest()));
        Assert.Contains("application/grpc", failure.Message, StringComparison.Ordinal);
    }

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    private static IstioCertificateResponse Text(string text) => new() { CertChain = { text } };

    /// <summary>What HttpClient does when the whole answer overtakes the request's headers being flushed: the body is cancelled, the call succeeds.</summary>
    private sealed class EarlyAnswer : HttpMessageHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            await Assert.ThrowsAsync<OperationCanceledException>(() => request.Content!.CopyToAsync(new Cancelled(), cancellationToken));
            var answer = new HttpResponseMessage { Version = new Version(2, 0), Content = new ByteArrayContent([]) };
            answer.Headers.TryAddWithoutValidation("grpc-status", "12");
            answer.Content.Headers.TryAddWithoutValidation("content-type", "application/grpc");
            return answer;
        }

        private sealed class Cancelled : MemoryStream
        {
            public override Task FlushAsync(CancellationToken cancellationToken) => throw new OperationCanceledException("the answer is complete");
        }
    }
}
