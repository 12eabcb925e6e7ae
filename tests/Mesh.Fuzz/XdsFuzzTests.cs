using Envoy.Service.Discovery.V3;
using Google.Protobuf;
using Mesh.Model;
using Mesh.Xds;
using Mesh.Xds.Client;
using Mesh.Xds.Grpc;
using Mesh.Xds.Wds;

namespace Mesh.Fuzz;

public sealed class XdsFuzzTests
{
    /// <summary>A control plane that lies cannot make a handler throw; what is refused is named, what is accepted survives our encoder.</summary>
    [Fact]
    public void Handlers_AnyResponse_ApplyOrReject() => Corpus.Run("xds", 20_000, (bytes, _) =>
    {
        DeltaDiscoveryResponse response;
        try
        {
            response = DeltaDiscoveryResponse.Parser.ParseUntrusted(bytes);
        }
        catch (MalformedMessageException)
        {
            return; // ends the stream, before any handler
        }

        var state = new MeshState();
        foreach (var handler in (IXdsResourceHandler[])[new WdsAddressHandler(state), new WdsAuthorizationHandler(state)])
        {
            var result = handler.Apply(response);
            Assert.All(result.Rejections, r => Assert.Contains(response.Resources, x => x.Name == r.Name));
            Assert.All(result.Rejections, r => Assert.NotEmpty(r.Reason));
        }

        foreach (var resource in response.Resources)
            AssertRoundTrip(resource.Resource_?.Value ?? ByteString.Empty);
    });

    /// <summary>Whatever arrives in whatever pieces: whole messages, or one refusal with a status.</summary>
    [Fact]
    public void FrameDecoder_AnyBytesInAnyPieces_GivesMessagesOrOneStatus() => Corpus.Run("grpc", 30_000, (bytes, random) =>
    {
        const int Limit = 4096;
        using var decoder = new GrpcFrameDecoder(Limit);
        var rest = bytes.AsSpan();
        try
        {
            while (!rest.IsEmpty)
            {
                var taken = decoder.Feed(rest[..Math.Min(rest.Length, 1 + random.Next(40))]);
                Assert.True(taken > 0, "the decoder does not move on");
                rest = rest[taken..];
                if (!decoder.IsComplete)
                    continue;
                Assert.True(decoder.Message.Length <= Limit);
                decoder.Next();
            }
        }
        catch (GrpcException e)
        {
            Assert.Contains(e.Status.Code, (GrpcStatusCode[])[GrpcStatusCode.ResourceExhausted, GrpcStatusCode.Unimplemented]);
        }
    });

    private static void AssertRoundTrip(ByteString content)
    {
        var update = new MeshUpdate();
        try
        {
            WdsDecoder.Decode(Istio.Workload.Address.Parser.ParseUntrusted(content.Span), update);
        }
        catch (Exception e) when (e is MalformedMessageException or WdsRejectedException)
        {
            return;
        }

        foreach (var workload in update.Workloads)
            Assert.Equal(workload, WdsDecoder.Decode(WdsEncoder.Encode(workload)));
        foreach (var service in update.Services)
            Assert.Equal(service, WdsDecoder.Decode(WdsEncoder.Encode(service)));
    }
}
