namespace Mesh.Xds.Grpc;

/// <summary>Bearer token plus cluster id, as istiod expects them on discovery and certificate calls.</summary>
/// <remarks>A token file is read for each call because kubelet replaces projected tokens in place.</remarks>
public sealed class TokenCredentials : IGrpcCredentials
{
    private readonly string? _path;
    private readonly string? _literal;
    private readonly string _clusterId;

    private TokenCredentials(string? path, string? literal, string clusterId)
    {
        _path = path;
        _literal = literal;
        _clusterId = clusterId;
    }

    public static TokenCredentials FromFile(string path, string clusterId) => new(path, null, clusterId);

    public static TokenCredentials FromLiteral(string token, string clusterId) => new(null, token, clusterId);

    /// <summary>AUTH_TOKEN: an existing path is a file, otherwise the token itself.</summary>
    public static TokenCredentials Parse(string setting, string clusterId) =>
        File.Exists(setting) ? FromFile(setting, clusterId) : FromLiteral(setting, clusterId);

    public async ValueTask<GrpcMetadata> GetMetadataAsync(CancellationToken cancellation)
    {
        var token = _literal ?? await ReadAsync(_path!, cancellation);
        return new GrpcMetadata().Add("authorization", $"Bearer {token}").Add("clusterid", _clusterId);
    }

    public override string ToString() => _path is null ? "static token" : $"token file {_path}";

    private static async Task<string> ReadAsync(string path, CancellationToken cancellation)
    {
        string token;
        try
        {
            // A token cannot hold white space, but a file written by hand usually ends in a line break.
            token = (await File.ReadAllTextAsync(path, cancellation)).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new GrpcException(new GrpcStatus(GrpcStatusCode.Unauthenticated, $"cannot read the token file {path}: {e.Message}"), GrpcFailurePhase.Opening, e);
        }

        return token.Length > 0
            ? token
            : throw new GrpcException(new GrpcStatus(GrpcStatusCode.Unauthenticated, $"the token file {path} is empty"), GrpcFailurePhase.Opening);
    }
}
