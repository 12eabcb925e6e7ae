using Google.Protobuf;

namespace Mesh.Xds.Grpc;

/// <summary>One method of a service: its path and how its messages are parsed.</summary>
public sealed record GrpcMethod<TRequest, TResponse>(string FullName, MessageParser<TRequest> RequestParser, MessageParser<TResponse> ResponseParser)
    where TRequest : class, IMessage<TRequest>
    where TResponse : class, IMessage<TResponse>
{
    /// <summary>The HTTP/2 <c>:path</c>.</summary>
    public string Path => "/" + FullName;
}
