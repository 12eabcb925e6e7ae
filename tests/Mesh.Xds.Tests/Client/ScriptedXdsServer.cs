using System.Threading.Channels;
using Envoy.Service.Discovery.V3;
using Mesh.Xds.Client;
using Mesh.Xds.Grpc;

namespace Mesh.Xds.Tests.Client;

/// <summary>A control plane that does exactly what the test says: accepts or refuses each stream, answers, ends it.</summary>
internal sealed class ScriptedXdsServer : IXdsTransport
{
    private readonly Channel<Opening> _openings = Channel.CreateUnbounded<Opening>();
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    public Task<IXdsStream> OpenAsync(IReadOnlyList<DeltaDiscoveryRequest> first, CancellationToken cancellation)
    {
        var opening = new Opening(first, cancellation);
        _openings.Writer.TryWrite(opening);
        return opening.Result.Task.WaitAsync(cancellation);
    }

    /// <summary>The client's next attempt; it waits until the test accepts or refuses it.</summary>
    public Task<Opening> NextAsync() => _openings.Reader.ReadAsync().AsTask().WaitAsync(Limit);

    public async Task<Stream> AcceptAsync() => (await NextAsync()).Accept();

    internal sealed class Opening(IReadOnlyList<DeltaDiscoveryRequest> first, CancellationToken cancellation)
    {
        public TaskCompletionSource<IXdsStream> Result { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public IReadOnlyList<DeltaDiscoveryRequest> First => first;

        public Stream Accept()
        {
            var stream = new Stream(first, cancellation);
            Result.SetResult(stream);
            return stream;
        }

        public void Refuse(GrpcStatusCode code, string detail) =>
            Result.SetException(new GrpcException(new GrpcStatus(code, detail), GrpcFailurePhase.Opening));
    }

    internal sealed class Stream(IReadOnlyList<DeltaDiscoveryRequest> first, CancellationToken cancellation) : IXdsStream
    {
        private readonly Channel<DeltaDiscoveryRequest> _requests = Channel.CreateUnbounded<DeltaDiscoveryRequest>();
        private readonly Channel<DeltaDiscoveryResponse> _responses = Channel.CreateUnbounded<DeltaDiscoveryResponse>();

        /// <summary>The requests that came with the opening.</summary>
        public IReadOnlyList<DeltaDiscoveryRequest> First => first;

        public Task<DeltaDiscoveryRequest> NextRequestAsync() => _requests.Reader.ReadAsync().AsTask().WaitAsync(Limit);

        public async Task<DeltaDiscoveryRequest> AnswerAsync(DeltaDiscoveryResponse response)
        {
            Assert.True(_responses.Writer.TryWrite(response));
            return await NextRequestAsync();
        }

        public void Send(DeltaDiscoveryResponse response) => Assert.True(_responses.Writer.TryWrite(response));

        public void End(Exception? failure = null) => _responses.Writer.TryComplete(failure);

        public Task SendAsync(DeltaDiscoveryRequest request)
        {
            _requests.Writer.TryWrite(request);
            return Task.CompletedTask;
        }

        public async Task<DeltaDiscoveryResponse?> ReceiveAsync()
        {
            try
            {
                return await _responses.Reader.ReadAsync(cancellation);
            }
            catch (ChannelClosedException e)
            {
                return e.InnerException is null ? null : throw e.InnerException;
            }
        }

        public ValueTask DisposeAsync()
        {
            End();
            _requests.Writer.TryComplete();
            return ValueTask.CompletedTask;
        }
    }
}
