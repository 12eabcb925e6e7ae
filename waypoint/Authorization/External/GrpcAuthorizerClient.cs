using Envoy.Service.Auth.V3;
using Google.Protobuf.Collections;
using Mesh.Waypoint.Forwarding;
using Mesh.Waypoint.Routing;
using Mesh.Xds.Grpc;

namespace Mesh.Waypoint.Authorization.External;

/// <summary><c>envoy.service.auth.v3.Authorization/Check</c>.</summary>
internal static class GrpcAuthorizerClient
{
    public static async Task<AuthorizerAnswer> AskAsync(ServiceClient client, CheckRequest request, CancellationToken cancellation)
    {
        CheckResponse response;
        try
        {
            response = await client.Grpc.UnaryAsync(GrpcMethods.CheckAuthorization, request, cancellation: cancellation);
        }
        catch (GrpcException e) when (!cancellation.IsCancellationRequested)
        {
            return AuthorizerAnswer.Failure(e.Status.ToString());
        }

        return Understand(response);
    }

    /// <summary>Pure.</summary>
    public static AuthorizerAnswer Understand(CheckResponse response)
    {
        if ((response.Status?.Code ?? 0) != 0)
        {
            var denied = response.DeniedResponse;
            return new AuthorizerAnswer(AuthorizerVerdict.Denied)
            {
                // 403 unless it says otherwise, whatever its gRPC code is.
                Status = denied?.Status?.Code is >= 200 and <= 599 and var status ? status : 403,
                Body = System.Text.Encoding.UTF8.GetBytes(denied?.Body ?? string.Empty),
                ResponseHeaders = Changes(denied?.Headers),
                Reason = response.Status!.Message,
            };
        }

        if (response.OkResponse is not { } ok)
            return AuthorizerAnswer.Allowed;
        return new AuthorizerAnswer(AuthorizerVerdict.Allowed)
        {
            RequestHeaders = Changes(ok.Headers),
            RemovedHeaders = ok.HeadersToRemove,
            ResponseHeaders = Changes(ok.ResponseHeadersToAdd),
            SetParameters = [.. ok.QueryParametersToSet.Select(p => (p.Key, p.Value))],
            RemovedParameters = ok.QueryParametersToRemove,
        };
    }

    private static IReadOnlyList<HeaderChange> Changes(RepeatedField<HeaderValueOption>? headers) =>
        headers is null ? [] : [.. headers.Where(h => h.Header is not null).Select(h => new HeaderChange(h.Header.Key, Value(h.Header), Kind(h)))];

    private static string Value(HeaderValue header) => header.RawValue.IsEmpty ? header.Value : System.Text.Encoding.Latin1.GetString(header.RawValue.Span);

    // An answer that says neither overwrites: what this API meant by an absent "append" before the enumeration existed.
    private static HeaderChangeKind Kind(HeaderValueOption option) => option.Append is { } append
        ? append ? HeaderChangeKind.Append : HeaderChangeKind.Set
        : option.AppendAction switch
        {
            HeaderValueOption.Types.AppendAction.AddIfAbsent => HeaderChangeKind.AddIfAbsent,
            HeaderValueOption.Types.AppendAction.OverwriteIfExists => HeaderChangeKind.OverwriteIfExists,
            _ => HeaderChangeKind.Set,
        };
}
