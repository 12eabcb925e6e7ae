using System.Net;
using System.Net.Http.Headers;

namespace Mesh.Xds.Grpc;

/// <summary>Reads gRPC's meaning out of HttpClient's headers and exceptions.</summary>
internal static class GrpcHeaders
{
    public static GrpcStatus? Status(HttpHeaders headers) =>
        First(headers, "grpc-status") is { } code ? GrpcStatus.Parse(code, First(headers, "grpc-message")) : null;

    /// <summary>Why a response cannot be read as gRPC, or null.</summary>
    public static GrpcStatus? Unacceptable(HttpResponseMessage response)
    {
        if (response.StatusCode != HttpStatusCode.OK)
            return GrpcStatus.FromHttp(response.StatusCode);
        var contentType = response.Content.Headers.ContentType?.MediaType;
        if (contentType is null || !contentType.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase))
            return new GrpcStatus(GrpcStatusCode.Unknown, $"the peer answered with content-type '{contentType}', not application/grpc");
        var encoding = First(response.Headers, "grpc-encoding");
        return encoding is null or "identity"
            ? null
            : new GrpcStatus(GrpcStatusCode.Unimplemented, $"the peer compresses with '{encoding}' although only identity was offered");
    }

    public static GrpcMetadata ToMetadata(HttpHeaders headers)
    {
        var metadata = new GrpcMetadata();
        foreach (var header in headers.NonValidated)
        {
            if (header.Key.StartsWith("grpc-", StringComparison.OrdinalIgnoreCase))
                continue;
            foreach (var value in header.Value)
            {
                if (value.All(c => c is >= ' ' and <= '~'))
                    metadata.Add(header.Key, value);
            }
        }

        return metadata;
    }

    /// <summary>The RST_STREAM code behind an exception, when the peer reset the stream; null for a lost connection.</summary>
    public static long? ResetCode(Exception? e)
    {
        for (; e is not null; e = e.InnerException)
        {
            if (e is HttpProtocolException protocol)
                return IsConnectionWide(protocol) ? null : protocol.ErrorCode;
        }

        return null;
    }

    // HttpClient uses one exception type for RST_STREAM, GOAWAY and broken connections; only its text tells them apart. The second
    // spelling is the resource's key, which a trimmed program prints in place of the text.
    private static bool IsConnectionWide(HttpProtocolException e) => !e.Message.Contains("reset the stream", StringComparison.Ordinal)
        && !e.Message.Contains("http2_stream_error", StringComparison.Ordinal);

    private static string? First(HttpHeaders headers, string name) =>
        headers.NonValidated.TryGetValues(name, out var values) ? values.FirstOrDefault() : null;
}
