using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Validation;
using Mesh.Waypoint.V1;
using Wds = Istio.Workload;

namespace Mesh.IstiodLite.Waypoints;

/// <summary>Small conversions to <c>mesh.waypoint.v1</c>.</summary>
internal static class ProtoParts
{
    private const uint UnknownGrpcStatus = 2;

    public static Duration? Of(TimeSpan? time) => time is { } t ? Duration.FromTimeSpan(t) : null;

    public static Protocol Of(Wds.AppProtocol protocol) => protocol switch
    {
        Wds.AppProtocol.Http11 => Protocol.Http1,
        Wds.AppProtocol.Http2 => Protocol.Http2,
        Wds.AppProtocol.Grpc => Protocol.Grpc,
        Wds.AppProtocol.Tcp => Protocol.Tcp,
        Wds.AppProtocol.Tls => Protocol.Tls,
        _ => Protocol.Auto,
    };

    public static bool SpeaksHttp(Protocol protocol) => protocol is Protocol.Auto or Protocol.Http1 or Protocol.Http2 or Protocol.Grpc;

    public static bool SpeaksTcp(Protocol protocol) => protocol is Protocol.Auto or Protocol.Tcp or Protocol.Tls;

    public static StringMatch? Of(TextMatch? match, bool ignoreCase = false) => match is null ? null : match.Type switch
    {
        TextMatchType.Exact => new StringMatch { Exact = match.Value, IgnoreCase = ignoreCase },
        TextMatchType.Prefix => new StringMatch { Prefix = match.Value, IgnoreCase = ignoreCase },
        TextMatchType.Regex => new StringMatch { Regex = match.Value },
        _ => new StringMatch { Present = true },
    };

    public static HeaderMutation? Of(HeaderOperations? operations)
    {
        if (operations is null)
            return null;
        var result = new HeaderMutation();
        result.Set.Add(Plain(operations.Set));
        result.Add.Add(Plain(operations.Add));
        result.Remove.AddRange(operations.Remove);
        return result;
    }

    public static Mesh.Waypoint.V1.CorsPolicy? Of(Resources.CorsPolicy? cors)
    {
        if (cors is null)
            return null;
        var result = new Mesh.Waypoint.V1.CorsPolicy { MaxAge = Of(cors.MaxAge), AllowCredentials = cors.AllowCredentials, ForwardUnmatchedPreflights = !cors.IgnoreUnmatchedPreflights };
        result.AllowOrigins.AddRange(cors.AllowOrigins.Select(o => Of(o)));
        result.AllowMethods.AddRange(cors.AllowMethods);
        result.AllowHeaders.AddRange(cors.AllowHeaders);
        result.ExposeHeaders.AddRange(cors.ExposeHeaders);
        return result;
    }

    public static RetryPolicy? Retry(HttpRetry? written, HttpRetry? meshDefault)
    {
        var retry = written ?? meshDefault ?? new HttpRetry { Attempts = 2 };
        if (retry.Attempts == 0)
            return null;
        var result = new RetryPolicy
        {
            Attempts = (uint)retry.Attempts,
            PerTryTimeout = Of(retry.PerTryTimeout),
            RetryRemoteLocalities = retry.RetryRemoteLocalities ?? false,
            RetryIgnorePreviousHosts = retry.RetryIgnorePreviousHosts ?? true,
            BackoffBase = Of(retry.Backoff ?? TimeSpan.FromMilliseconds(25)),
            BackoffMax = Of((retry.Backoff ?? TimeSpan.FromMilliseconds(25)) * 10),
        };
        // Istio's built-in list; user codes hook into retriable-status-codes.
        var on = string.IsNullOrWhiteSpace(retry.RetryOn) ? "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes" : retry.RetryOn;
        foreach (var word in on.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (uint.TryParse(word, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var code))
                result.RetriableStatusCodes.Add(code);
            else
                result.RetryOn.Add(word);
        }
        if (result.RetriableStatusCodes.Count > 0 && !result.RetryOn.Contains("retriable-status-codes"))
            result.RetryOn.Add("retriable-status-codes");
        return result;
    }

    public static Fault? Of(HttpFault? fault)
    {
        if (fault is null)
            return null;
        return new Fault
        {
            Delay = Of(fault.Delay),
            DelayPercentage = fault.DelayPercentage,
            AbortHttpStatus = (uint)(fault.AbortHttpStatus ?? 0),
            AbortIsGrpc = fault.AbortGrpcStatus is not null,
            AbortGrpcStatus = fault.AbortGrpcStatus is { } status ? GrpcStatusNames.CodeOf(status) ?? UnknownGrpcStatus : 0,
            AbortPercentage = fault.AbortPercentage,
        };
    }

    public static ByteString Bytes((int Status, string? Text, byte[]? Bytes) direct) =>
        direct.Bytes is { } bytes ? ByteString.CopyFrom(bytes) : ByteString.CopyFromUtf8(direct.Text ?? string.Empty);

    private static Dictionary<string, string> Plain(IReadOnlyDictionary<string, string> map) => new(map, StringComparer.Ordinal);
}
