namespace Mesh.Waypoint.Routing;

internal static class GrpcContentType
{
    /// <summary><c>application/grpc</c> or <c>application/grpc+...</c>; grpc-web is not gRPC here (reference 7.9).</summary>
    public static bool Is(string? contentType)
    {
        const string Grpc = "application/grpc";
        return contentType is not null
            && contentType.StartsWith(Grpc, StringComparison.OrdinalIgnoreCase)
            && (contentType.Length == Grpc.Length || contentType[Grpc.Length] is '+' or ';');
    }
}
