namespace Mesh.Model.Expressions;

/// <summary>What an expression or a part of it can be. A missing attribute spoils what is computed from it, as an error does in CEL.</summary>
public enum ExpressionType
{
    Missing,
    Text,
    Number,
    Flag,
}

/// <summary>A value of one of the types; the other parts are default.</summary>
public readonly record struct ExpressionValue(ExpressionType Type, string? Text, long Number)
{
    public static readonly ExpressionValue Missing = default;

    public bool IsTrue => Type == ExpressionType.Flag && Number != 0;

    public bool IsFalse => Type == ExpressionType.Flag && Number == 0;

    public static ExpressionValue Of(string? text) => text is null ? Missing : new(ExpressionType.Text, text, 0);

    public static ExpressionValue Of(long? number) => number is { } value ? new(ExpressionType.Number, null, value) : Missing;

    public static ExpressionValue Of(bool flag) => new(ExpressionType.Flag, null, flag ? 1 : 0);

    /// <summary>As a label shows it; null where it is missing.</summary>
    public string? AsLabel() => Type switch
    {
        ExpressionType.Text => Text,
        ExpressionType.Number => Number.ToString(System.Globalization.CultureInfo.InvariantCulture),
        ExpressionType.Flag => Number != 0 ? "true" : "false",
        _ => null,
    };
}

/// <summary>Knows the attributes of the request that an expression is about.</summary>
public interface IAttributeSource
{
    /// <param name="name">One of <see cref="ExpressionAttributes"/>.</param>
    /// <param name="key">Of a map, in lower case; null for other attributes.</param>
    ExpressionValue Get(string name, string? key);
}

/// <summary>The attributes that expressions may name, a part of Envoy's.</summary>
public static class ExpressionAttributes
{
    private static readonly Dictionary<string, ExpressionType> Types = new(StringComparer.Ordinal)
    {
        ["request.method"] = ExpressionType.Text,
        ["request.path"] = ExpressionType.Text,
        ["request.url_path"] = ExpressionType.Text,
        ["request.query"] = ExpressionType.Text,
        ["request.host"] = ExpressionType.Text,
        ["request.scheme"] = ExpressionType.Text,
        ["request.protocol"] = ExpressionType.Text,
        ["request.useragent"] = ExpressionType.Text,
        ["request.id"] = ExpressionType.Text,
        ["request.size"] = ExpressionType.Number,
        ["response.code"] = ExpressionType.Number,
        ["response.code_details"] = ExpressionType.Text,
        ["response.grpc_status"] = ExpressionType.Number,
        ["response.size"] = ExpressionType.Number,
        ["connection.mtls"] = ExpressionType.Flag,
        ["connection.uri_san_peer_certificate"] = ExpressionType.Text,
        ["source.address"] = ExpressionType.Text,
        ["destination.address"] = ExpressionType.Text,
        ["destination.port"] = ExpressionType.Number,
        ["upstream.address"] = ExpressionType.Text,
        ["xds.cluster_name"] = ExpressionType.Text,
        ["xds.route_name"] = ExpressionType.Text,
    };

    /// <summary>Maps from names to texts: <c>request.headers['x']</c>.</summary>
    private static readonly string[] Maps = ["request.headers", "response.headers"];

    public static IEnumerable<string> Names => Types.Keys.Concat(Maps.Select(m => m + "['name']")).Order(StringComparer.Ordinal);

    public static bool IsMap(string name) => Array.IndexOf(Maps, name) >= 0;

    public static ExpressionType? TypeOf(string name) => Types.TryGetValue(name, out var type) ? type : null;
}
