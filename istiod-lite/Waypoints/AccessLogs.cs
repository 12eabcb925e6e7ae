using System.Text.Json;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Translation;
using Mesh.Model.Expressions;
using Mesh.Waypoint.V1;

namespace Mesh.IstiodLite.Waypoints;

/// <summary>Access log providers, formats and filters: what Telemetry resources say over what MeshConfig says (reference: l7 5.7).</summary>
internal sealed class AccessLogs(MeshSettings settings, Resource gateway, RouteContext context)
{
    /// <summary>The provider that Istio has by itself: MeshConfig's format.</summary>
    private const string BuiltIn = "envoy";

    private const string DefaultText =
        "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% "
        + "%CONNECTION_TERMINATION_DETAILS% \"%UPSTREAM_TRANSPORT_FAILURE_REASON%\" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "
        + "\"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\" %UPSTREAM_CLUSTER_RAW% "
        + "%UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%";

    private static readonly (string Name, string Format)[] DefaultFields =
    [
        ("start_time", "%START_TIME%"), ("route_name", "%ROUTE_NAME%"), ("method", "%REQ(:METHOD)%"), ("path", "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"),
        ("protocol", "%PROTOCOL%"), ("response_code", "%RESPONSE_CODE%"), ("response_flags", "%RESPONSE_FLAGS%"), ("response_code_details", "%RESPONSE_CODE_DETAILS%"),
        ("connection_termination_details", "%CONNECTION_TERMINATION_DETAILS%"), ("bytes_received", "%BYTES_RECEIVED%"), ("bytes_sent", "%BYTES_SENT%"),
        ("duration", "%DURATION%"), ("upstream_service_time", "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%"), ("x_forwarded_for", "%REQ(X-FORWARDED-FOR)%"),
        ("user_agent", "%REQ(USER-AGENT)%"), ("request_id", "%REQ(X-REQUEST-ID)%"), ("authority", "%REQ(:AUTHORITY)%"), ("upstream_host", "%UPSTREAM_HOST%"),
        ("upstream_cluster", "%UPSTREAM_CLUSTER_RAW%"), ("upstream_local_address", "%UPSTREAM_LOCAL_ADDRESS%"), ("downstream_local_address", "%DOWNSTREAM_LOCAL_ADDRESS%"),
        ("downstream_remote_address", "%DOWNSTREAM_REMOTE_ADDRESS%"), ("requested_server_name", "%REQUESTED_SERVER_NAME%"),
        ("upstream_transport_failure_reason", "%UPSTREAM_TRANSPORT_FAILURE_REASON%"),
    ];

    /// <summary>Null: every request, in the waypoint's own lines.</summary>
    public AccessLog? For(IReadOnlyList<(TelemetryResource Source, AccessLoggingRules Rules)> rules)
    {
        var result = new AccessLog();
        if (rules.LastOrDefault(r => r.Rules.Filter is not null) is { Rules.Filter: { } filter } filtered && IsCondition(filtered.Source, filtered.Rules.FilterLine, filter))
            result.Filter = filter;
        var named = rules.LastOrDefault(r => r.Rules.Providers.Count > 0);
        var names = named.Rules?.Providers ?? settings.DefaultAccessLogProviders;
        var source = (Resource?)named.Source ?? gateway;
        if (names.Count > 1)
            context.Report(source, 0, $"names {names.Count} access log providers, of which only {names[0]} is used", "keep one");
        if (names.Count > 0)
            AddProvider(result, names[0], source);
        else if (settings.AccessLog.File.Length > 0)
            AddMeshFormat(result);
        return result.Filter.Length == 0 && result.Text.Length == 0 && result.Fields.Count == 0 ? null : result;
    }

    private bool IsCondition(Resource source, int line, string filter)
    {
        try
        {
            if (Expression.Parse(filter).Type == ExpressionType.Flag)
                return true;
            context.Report(source, line, $"its accessLogging filter \"{filter}\" is no condition, so every request is logged", "compare something in it");
        }
        catch (ExpressionException e)
        {
            context.Report(source, line, $"its accessLogging filter is not used, so every request is logged: {e.Message}", "write it with the part of CEL that docs/waypoint.md lists");
        }

        return false;
    }

    private void AddProvider(AccessLog result, string name, Resource source)
    {
        var provider = settings.ExtensionProviders.FirstOrDefault(p => p.Name == name);
        if (provider?.FileLog is { } file)
        {
            if (file.Path is not ("/dev/stdout" or ""))
                context.Report(source, 0, $"its access log provider {name} writes to {file.Path}; lines go to standard output here", "write /dev/stdout");
            if (file.Text.Length > 0 && CanBeRead(file.Text, source))
                result.Text = file.Text;
            else if (file.Fields.Count > 0 && file.Fields.All(f => CanBeRead(f.Format, source)))
                Add(result, file.Fields);
            else
                AddMeshFormat(result);
            result.OmitEmpty = file.OmitEmpty;
        }
        else if (name == BuiltIn && provider is null)
        {
            AddMeshFormat(result);
        }
        else
        {
            context.Report(source, 0, $"its access log provider \"{name}\" is not an envoyFileAccessLog provider of MeshConfig; the waypoint writes its own lines", "add it under extensionProviders, or correct the name");
        }
    }

    private void AddMeshFormat(AccessLog result)
    {
        var written = settings.AccessLog;
        if (!written.IsJson)
            result.Text = written.Format.Length > 0 && CanBeRead(written.Format, gateway) ? written.Format : DefaultText;
        else if (written.Format.Length > 0 && Labels(written.Format) is { } labels && labels.All(f => CanBeRead(f.Format, gateway)))
            Add(result, labels);
        else
            Add(result, DefaultFields);
    }

    private List<(string Name, string Format)>? Labels(string json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            if (document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.EnumerateObject().All(p => p.Value.ValueKind == JsonValueKind.String))
                return [.. document.RootElement.EnumerateObject().Select(p => (p.Name, p.Value.GetString()!))];
        }
        catch (JsonException)
        {
            // Said below.
        }

        context.Report(gateway, 0, "accessLogFormat of MeshConfig is not a JSON object of texts, as accessLogEncoding says; the default fields are written", "write {\"name\": \"%COMMAND%\"}");
        return null;
    }

    private bool CanBeRead(string format, Resource source)
    {
        try
        {
            LogFormatPart.Parse(format);
            return true;
        }
        catch (ExpressionException e)
        {
            context.Report(source, 0, $"its access log format is not used: {e.Message}", "remove the command");
            return false;
        }
    }

    private static void Add(AccessLog result, IEnumerable<(string Name, string Format)> fields) =>
        result.Fields.AddRange(fields.Select(f => new AccessLog.Types.LogField { Name = f.Name, Format = f.Format }));
}
