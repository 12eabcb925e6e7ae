using System.Text;
using Microsoft.AspNetCore.Http;

namespace Mesh.Runtime.Admin;

/// <summary>Short answers of admin pages.</summary>
public static class AdminReply
{
    /// <summary>True for POST; otherwise the answer is 405 with the usage text and the page must return.</summary>
    public static async Task<bool> RequirePostAsync(HttpContext http, string? usage = null)
    {
        if (HttpMethods.IsPost(http.Request.Method))
            return true;
        if (usage is null)
            http.Response.StatusCode = StatusCodes.Status405MethodNotAllowed;
        else
            await TextAsync(http, usage, StatusCodes.Status405MethodNotAllowed);
        return false;
    }

    public static Task TextAsync(HttpContext http, string text, int status = StatusCodes.Status200OK) =>
        BytesAsync(http, Encoding.UTF8.GetBytes(text), "text/plain", status);

    public static Task JsonAsync(HttpContext http, ReadOnlyMemory<byte> json, int status = StatusCodes.Status200OK) =>
        BytesAsync(http, json, "application/json", status);

    public static Task BytesAsync(HttpContext http, ReadOnlyMemory<byte> body, string contentType, int status = StatusCodes.Status200OK)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = contentType;
        http.Response.ContentLength = body.Length;
        return HttpMethods.IsHead(http.Request.Method) ? Task.CompletedTask : http.Response.Body.WriteAsync(body, http.RequestAborted).AsTask();
    }
}
