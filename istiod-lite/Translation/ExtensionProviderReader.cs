using System.Globalization;
using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Translation;

/// <summary>MeshConfig.extensionProviders.</summary>
internal static class ExtensionProviderReader
{
    public static ExtensionProvider Read(FieldReader provider)
    {
        // Istio's other kinds are valid there; whoever names one of them is told that it has no effect.
        provider.Ignore("zipkin", "lightstep", "datadog", "stackdriver", "opencensus", "skywalking", "prometheus",
            "envoyHttpAls", "envoyTcpAls", "envoyOtelAls", "sds");
        return new ExtensionProvider(provider.Required("name"))
        {
            Authorizer = provider.Object("envoyExtAuthzGrpc", r => Authorizer(r, isHttp: false)) ?? provider.Object("envoyExtAuthzHttp", r => Authorizer(r, isHttp: true)),
            Collector = provider.Object("opentelemetry", Collector),
            FileLog = provider.Object("envoyFileAccessLog", FileLog),
        };
    }

    /// <summary><c>service</c> is <c>[namespace/]hostname</c>.</summary>
    public static ProviderService Service(FieldReader reader)
    {
        var text = reader.Required("service");
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        var port = reader.Port("port");
        if (port is null)
            reader.Faults.Add(reader.LineOf("port"), $"{reader.Path}.port is missing", "add port");
        return new ProviderService(slash < 0 ? null : text[..slash], text[(slash + 1)..], port ?? 0);
    }

    private static FileLogSettings FileLog(FieldReader reader)
    {
        var text = string.Empty;
        IReadOnlyDictionary<string, string>? labels = null;
        reader.Object("logFormat", f =>
        {
            text = f.String("text") ?? string.Empty;
            labels = f.StringMap("labels");
        });
        return new FileLogSettings(
            reader.String("path") ?? string.Empty,
            text,
            [.. (labels ?? new Dictionary<string, string>(StringComparer.Ordinal)).Select(l => (l.Key, l.Value))],
            reader.Bool("omitEmptyValues") ?? false);
    }

    private static CollectorSettings Collector(FieldReader reader)
    {
        reader.Ignore("resourceDetectors", "dynatraceSampler");
        var path = string.Empty;
        TimeSpan? timeout = null;
        var headers = new Dictionary<string, string>(StringComparer.Ordinal);

        void Read(FieldReader r)
        {
            timeout = r.Duration("timeout") ?? timeout;
            foreach (var header in r.Objects("headers", h => Tuple.Create(h.Required("name"), h.Required("value"))))
                headers[header.Item1] = header.Item2;
        }

        reader.Object("http", h =>
        {
            path = h.Required("path");
            Read(h);
        });
        reader.Object("grpc", g =>
        {
            Read(g);
            foreach (var header in g.Objects("initialMetadata", h => Tuple.Create(h.Required("name"), h.Required("value"))))
                headers[header.Item1] = header.Item2;
        });
        return new CollectorSettings(Service(reader), path.Length == 0 || path.StartsWith('/') ? path : "/" + path, timeout ?? TimeSpan.FromSeconds(10), reader.UInt("maxTagLength") ?? 0, headers);
    }

    private static AuthorizerSettings Authorizer(FieldReader reader, bool isHttp)
    {
        var settings = new AuthorizerSettings
        {
            Service = Service(reader),
            IsHttp = isHttp,
            Timeout = reader.Duration("timeout") ?? TimeSpan.FromSeconds(600),
            FailOpen = reader.Bool("failOpen") ?? false,
            ClearRouteCache = reader.Bool("clearRouteCache") ?? false,
            StatusOnError = Status(reader),
            Body = reader.Object("includeRequestBodyInCheck", b => new CheckedBody(b.UInt("maxRequestBytes") ?? 0, b.Bool("allowPartialMessage") ?? false, b.Bool("packAsBytes") ?? false)),
        };
        return !isHttp ? settings : settings with
        {
            PathPrefix = reader.String("pathPrefix") ?? string.Empty,
            // The older name of the field counts where the newer is absent.
            RequestHeaders = reader.Strings("includeRequestHeadersInCheck") is { Count: > 0 } named ? Both(reader, named) : reader.Strings("includeHeadersInCheck"),
            AdditionalHeaders = reader.StringMap("includeAdditionalHeadersInCheck") ?? settings.AdditionalHeaders,
            UpstreamHeadersOnAllow = reader.Strings("headersToUpstreamOnAllow"),
            DownstreamHeadersOnDeny = reader.Strings("headersToDownstreamOnDeny"),
            DownstreamHeadersOnAllow = reader.Strings("headersToDownstreamOnAllow"),
        };
    }

    private static IReadOnlyList<string> Both(FieldReader reader, IReadOnlyList<string> named)
    {
        reader.Ignore("includeHeadersInCheck");
        return named;
    }

    private static int Status(FieldReader reader)
    {
        var text = reader.String("statusOnError");
        if (text is null)
            return 403;
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var status) && status is >= 200 and <= 599)
            return status;
        reader.Faults.Add(reader.LineOf("statusOnError"), $"{reader.Path}.statusOnError is \"{text}\"", "write a status such as \"503\"");
        return 403;
    }
}
