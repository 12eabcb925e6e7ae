using System.Net;
using System.Net.Http.Headers;
using System.Reflection;
using Google.Protobuf;

namespace Mesh.Xds.Grpc;

/// <summary>A client of one control plane over HTTP/2. Any thread; one channel shares its connection among calls.</summary>
public sealed class GrpcChannel : IDisposable
{
    private static readonly string UserAgent = "grpc-mesh/" + (typeof(GrpcChannel).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0");

    private readonly HttpMessageInvoker _http;
    private readonly GrpcServerVerifier _verifier;

    public GrpcChannel(GrpcChannelOptions options)
    {
        Options = options;
        _verifier = new GrpcServerVerifier(options.Trust, options.Address.DnsSafeHost, options.AlternativeHostName);
        _http = new HttpMessageInvoker(GrpcTransport.Create(options, _verifier), disposeHandler: true);
    }

    /// <summary>Over a transport of the caller's, which does whatever the options say about connecting and trust; it is not disposed.</summary>
    public GrpcChannel(GrpcChannelOptions options, HttpMessageHandler transport)
    {
        Options = options;
        _verifier = new GrpcServerVerifier(options.Trust, options.Address.DnsSafeHost, options.AlternativeHostName);
        _http = new HttpMessageInvoker(transport, disposeHandler: false);
    }

    public GrpcChannelOptions Options { get; }

    /// <summary>One request, one response. Every other ending is a <see cref="GrpcException"/>.</summary>
    public async Task<TResponse> UnaryAsync<TRequest, TResponse>(
        GrpcMethod<TRequest, TResponse> method, TRequest request, GrpcCallOptions? options = null, CancellationToken cancellation = default)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        await using var call = await StartDuplexAsync(method, options, cancellation);
        try
        {
            await call.WriteAsync(request);
            await call.CompleteRequestsAsync();
        }
        catch (GrpcException)
        {
            // The peer may answer without reading the request; its status says more than our failed write.
        }

        var response = await call.ReadAsync()
            ?? throw new GrpcException(GrpcStatusCode.Internal, $"{method.FullName} ended with OK but without a response message");
        if (await call.ReadAsync() is not null)
            throw new GrpcException(GrpcStatusCode.Internal, $"{method.FullName} answered with more than one message");
        return response;
    }

    /// <summary>Starts a call. The request headers are on their way when this returns; nothing is known of the answer yet.</summary>
    public async Task<GrpcDuplexCall<TRequest, TResponse>> StartDuplexAsync<TRequest, TResponse>(
        GrpcMethod<TRequest, TResponse> method, GrpcCallOptions? options = null, CancellationToken cancellation = default)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        options ??= GrpcCallOptions.Default;
        var content = new GrpcRequestContent();
        var request = new HttpRequestMessage(HttpMethod.Post, new Uri(Options.Address, method.Path))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = content,
        };
        content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        request.Headers.TE.Add(new TransferCodingWithQualityHeaderValue("trailers"));
        request.Headers.TryAddWithoutValidation("user-agent", UserAgent);
        request.Headers.TryAddWithoutValidation("grpc-accept-encoding", "identity");
        if (options.Timeout is { } timeout)
            request.Headers.TryAddWithoutValidation("grpc-timeout", GrpcTimeout.Format(timeout));
        AddMetadata(request, options.Metadata);
        if (Options.Credentials is { } credentials)
            AddMetadata(request, await credentials.GetMetadataAsync(cancellation));
        return new GrpcDuplexCall<TRequest, TResponse>(this, method, request, content, options, cancellation);
    }

    public void Dispose() => _http.Dispose();

    internal Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellation) => _http.SendAsync(request, cancellation);

    /// <summary>What stands behind a failed connect, in one sentence with the address.</summary>
    internal string Describe(HttpRequestException failure)
    {
        var cause = failure.HttpRequestError == HttpRequestError.SecureConnectionError && _verifier.LastFailure is { } refused
            ? refused
            : (failure.InnerException ?? failure).Message;
        return $"cannot reach {Options.Address.Scheme}://{Options.Address.Authority}: {cause}";
    }

    private static void AddMetadata(HttpRequestMessage request, GrpcMetadata metadata)
    {
        foreach (var entry in metadata)
            request.Headers.TryAddWithoutValidation(entry.Key, entry.Value);
    }
}
