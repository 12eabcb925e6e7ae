using System.Text.Json;
using System.Text.Json.Nodes;
using Mesh.Testing.Kubernetes.Serving;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Mesh.Testing.Kubernetes;

/// <summary>/fake/...: what a test in another process may ask of the server itself.</summary>
internal static class ControlPages
{
    private static readonly JsonSerializerOptions _json = new(JsonSerializerDefaults.Web);

    public static void Map(WebApplication application, FakeApiServer server) => application.Use(async (context, next) =>
    {
        switch ((context.Request.Method, context.Request.Path.Value))
        {
            // Objects as they are, status included: a list or one.
            case ("POST", "/fake/objects"):
                var body = await JsonNode.ParseAsync(context.Request.Body, cancellationToken: context.RequestAborted);
                foreach (var item in body is JsonArray many ? many.OfType<JsonObject>() : [(JsonObject)body!])
                    server.Store.Put(item);
                break;
            case ("POST", "/fake/faults"):
                server.Faults.Add((await context.Request.ReadFromJsonAsync<Fault>(_json, context.RequestAborted))!);
                break;
            case ("DELETE", "/fake/faults"):
                server.Faults.Clear();
                break;
            case ("POST", "/fake/forget-history"):
                server.ForgetHistory();
                break;
            case ("POST", "/fake/end-watches"):
                server.EndWatches();
                break;
            // ?namespace=istio-system&name=istiod&address=https://127.0.0.1:15017
            case ("POST", "/fake/services"):
                var query = context.Request.Query;
                server.Webhooks.Route(query["namespace"]!, query["name"]!, new Uri(query["address"]!));
                break;
            case ("GET", "/fake/requests"):
                await context.Response.WriteAsJsonAsync(server.Requests, _json, context.RequestAborted);
                return;
            default:
                await next();
                return;
        }
        context.Response.StatusCode = StatusCodes.Status204NoContent;
    });
}
