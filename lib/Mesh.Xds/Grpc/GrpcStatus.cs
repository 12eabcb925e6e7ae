using System.Globalization;
using System.Net;

namespace Mesh.Xds.Grpc;

/// <summary>How a call ended: the code and the peer's text.</summary>
public readonly record struct GrpcStatus(GrpcStatusCode Code, string Detail)
{
    public static readonly GrpcStatus Ok = new(GrpcStatusCode.Ok, string.Empty);

    public bool IsOk => Code == GrpcStatusCode.Ok;

    /// <summary>The status that the two header values state; a number outside the table is Unknown (gRPC status code specification).</summary>
    public static GrpcStatus Parse(string code, string? message)
    {
        var known = int.TryParse(code, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number is >= 0 and <= 16;
        var text = message is null ? string.Empty : GrpcPercentEncoding.Decode(message);
        return known
            ? new GrpcStatus((GrpcStatusCode)number, text)
            : new GrpcStatus(GrpcStatusCode.Unknown, $"peer sent the unknown grpc-status '{code}': {text}");
    }

    /// <summary>For responses that carry no grpc-status at all: the table "HTTP to gRPC Status Code Mapping" of the gRPC documentation.</summary>
    public static GrpcStatus FromHttp(HttpStatusCode status) => new(
        (int)status switch
        {
            400 => GrpcStatusCode.Internal,
            401 => GrpcStatusCode.Unauthenticated,
            403 => GrpcStatusCode.PermissionDenied,
            404 => GrpcStatusCode.Unimplemented,
            429 or 502 or 503 or 504 => GrpcStatusCode.Unavailable,
            _ => GrpcStatusCode.Unknown,
        },
        $"the peer answered HTTP status {(int)status} without grpc-status");

    /// <summary>RST_STREAM error codes: the table of "PROTOCOL-HTTP2.md", section "Errors".</summary>
    public static GrpcStatusCode FromHttp2Error(long errorCode) => errorCode switch
    {
        7 => GrpcStatusCode.Unavailable, // REFUSED_STREAM: nothing was processed
        8 => GrpcStatusCode.Cancelled,
        11 => GrpcStatusCode.ResourceExhausted, // ENHANCE_YOUR_CALM
        12 => GrpcStatusCode.PermissionDenied, // INADEQUATE_SECURITY
        _ => GrpcStatusCode.Internal,
    };

    public override string ToString() => Detail.Length == 0 ? Code.ToString() : $"{Code}: {Detail}";
}
