using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Mesh.Testing.Kubernetes.Storage;
using Microsoft.AspNetCore.Http;

namespace Mesh.Testing.Kubernetes.Serving;

/// <summary>Answers in the forms of the real server.</summary>
internal static class ResponseWriting
{
    public static async Task JsonAsync(HttpContext context, int code, JsonNode body)
    {
        context.Response.StatusCode = code;
        context.Response.ContentType = "application/json";
        var bytes = Encoding.UTF8.GetBytes(body.ToJsonString() + "\n");
        context.Response.ContentLength = bytes.Length;
        await context.Response.Body.WriteAsync(bytes, context.RequestAborted);
    }

    public static async Task ErrorAsync(HttpContext context, ApiError error)
    {
        if (error.RetryAfter is { } seconds)
            context.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        if (!error.IsPlain)
        {
            await JsonAsync(context, error.Code, error.ToStatus());
            return;
        }
        context.Response.StatusCode = error.Code;
        context.Response.ContentType = "text/plain; charset=utf-8";
        await context.Response.WriteAsync(error.Message + "\n", context.RequestAborted);
    }

    /// <summary>The object as the asked version and form show it.</summary>
    public static JsonObject Shown(ApiTarget target, JsonObject body, bool metadataOnly)
    {
        if (metadataOnly)
            return new JsonObject { ["kind"] = "PartialObjectMetadata", ["apiVersion"] = "meta.k8s.io/v1", ["metadata"] = body["metadata"]!.DeepClone() };
        var copy = new JsonObject { ["kind"] = target.Kind.Kind, ["apiVersion"] = target.ApiVersion };
        foreach (var (name, value) in body.Where(f => f.Key is not ("kind" or "apiVersion")))
            copy[name] = value?.DeepClone();
        return copy;
    }

    public static bool WantsMetadataOnly(HttpContext context) => context.Request.Headers.Accept.ToString().Contains("as=PartialObjectMetadata", StringComparison.Ordinal);
}
