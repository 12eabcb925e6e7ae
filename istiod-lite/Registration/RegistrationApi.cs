using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Mesh.IstiodLite.Certificates;
using Mesh.IstiodLite.Resources;
using Mesh.Runtime;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;

namespace Mesh.IstiodLite.Registration;

/// <summary>The HTTP/JSON calls of docs/registration.md: (1) who asks  (2) for which group, and may they  (3) what.</summary>
internal sealed class RegistrationApi(InstanceRegistry registry, TokenKey tokens, IMeshView mesh, TimeProvider time)
{
    private const string Instances = "/v1/namespaces/{ns}/groups/{group}/instances";
    // A registration is a few hundred bytes.
    private const int LargestBody = 64 * 1024;

    public void Map(IEndpointRouteBuilder endpoints)
    {
        endpoints.Map("/v1/instances", http => GuardAsync(http, () => ListAsync(http, ns: null, group: null)));
        endpoints.Map(Instances, http => GuardAsync(http, () => ListAsync(http, Part(http, "ns"), Part(http, "group"))));
        endpoints.Map(Instances + "/{name}", http => GuardAsync(http, () => InstanceAsync(http)));
        endpoints.Map(Instances + "/{name}/heartbeat", http => GuardAsync(http, () => HeartbeatAsync(http)));
    }

    private static async Task GuardAsync(HttpContext http, Func<Task> handle)
    {
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
            size.MaxRequestBodySize = LargestBody;
        try
        {
            await handle();
        }
        catch (Refusal refusal)
        {
            http.Response.StatusCode = refusal.Status;
            await WriteAsync(http, new ErrorReply(refusal.Message, refusal.Fix), RegistrationJson.Default.ErrorReply);
        }
    }

    private Task ListAsync(HttpContext http, string? ns, string? group)
    {
        Require(http, HttpMethods.Get);
        var caller = Authenticate(http);
        var seen = registry.All.Where(i => (ns is null || i.Namespace == ns) && (group is null || i.Group == group))
            .Where(i => caller is NodeCaller || (caller is WorkloadCaller w && w.Namespace == i.Namespace));
        return WriteAsync(http, [.. seen.Select(Reply)], RegistrationJson.Default.ListInstanceReply);
    }

    private async Task InstanceAsync(HttpContext http)
    {
        Require(http, HttpMethods.Get, HttpMethods.Put, HttpMethods.Delete);
        var group = await AuthorizeAsync(http);
        var key = new InstanceKey(group.Namespace, group.Name, Part(http, "name"));
        var known = registry.Find(key);
        if (HttpMethods.IsPut(http.Request.Method))
        {
            var request = await ReadAsync(http, RegistrationJson.Default.InstanceRequest) ?? new InstanceRequest();
            var instance = InstanceRules.Make(key, request, group, http.Connection.RemoteIpAddress, out var error) ?? throw new Refusal(StatusCodes.Status400BadRequest, error!.Error, error.Fix);
            if (known is null && mesh.Resources.Find<WorkloadEntry>("WorkloadEntry", key.Namespace, instance.EntryKey.Name) is { } document)
                throw new Refusal(StatusCodes.Status409Conflict, $"{document.Describe()} is defined in {document.Position}", "choose another instance name, or remove the document");
            registry.Register(instance);
            http.Response.StatusCode = known is null ? StatusCodes.Status201Created : StatusCodes.Status200OK;
            await WriteAsync(http, Reply(registry.Find(key) ?? instance), RegistrationJson.Default.InstanceReply);
            return;
        }

        if (known is null)
            throw Unknown(key);
        if (HttpMethods.IsGet(http.Request.Method))
        {
            await WriteAsync(http, Reply(known), RegistrationJson.Default.InstanceReply);
            return;
        }

        registry.Deregister(key);
        http.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private async Task HeartbeatAsync(HttpContext http)
    {
        Require(http, HttpMethods.Put, HttpMethods.Post);
        var group = await AuthorizeAsync(http);
        var key = new InstanceKey(group.Namespace, group.Name, Part(http, "name"));
        var said = await ReadAsync(http, RegistrationJson.Default.HeartbeatRequest) ?? new HeartbeatRequest();
        if (!registry.Heartbeat(key, said.Healthy, said.Reason))
            throw Unknown(key);
        http.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private Caller Authenticate(HttpContext http)
    {
        var header = http.Request.Headers.Authorization.ToString();
        var token = header.StartsWith("Bearer ", StringComparison.Ordinal) ? header["Bearer ".Length..] : null;
        return tokens.Verify(token, time.GetUtcNow(), out var reason)
            ?? throw new Refusal(StatusCodes.Status401Unauthorized, reason, "send \"authorization: Bearer TOKEN\" with a token from istiod-lite token --workload namespace/serviceaccount");
    }

    /// <summary>Who may become an endpoint with an identity is who may have that identity.</summary>
    private async Task<WorkloadGroup> AuthorizeAsync(HttpContext http)
    {
        var caller = Authenticate(http);
        var (ns, name) = (Part(http, "ns"), Part(http, "group"));
        if (caller is not WorkloadCaller workload || workload.Namespace != ns)
            throw new Refusal(StatusCodes.Status403Forbidden, $"{caller.Name} may not register in the namespace {ns}", $"use a token for a workload of {ns}");
        var group = Find(ns, name);
        if (group is null)
        {
            // The group's document may have been written a moment ago.
            await mesh.RefreshAsync();
            group = Find(ns, name) ?? throw new Refusal(StatusCodes.Status404NotFound, $"there is no WorkloadGroup {ns}/{name}", "write its document first");
        }

        return InstanceRules.AccountOf(group) == workload.ServiceAccount
            ? group
            : throw new Refusal(StatusCodes.Status403Forbidden, $"instances of {ns}/{name} run as {InstanceRules.AccountOf(group)}, the token is for {workload.ServiceAccount}", "use a token for that service account");
    }

    private WorkloadGroup? Find(string ns, string name) => mesh.Resources.Find<WorkloadGroup>("WorkloadGroup", ns, name);

    private InstanceReply Reply(Instance instance) => new(
        instance.Namespace, instance.Group, instance.Name, instance.Address, instance.Healthy ? "passing" : "failing", instance.Reason,
        $"spiffe://{mesh.TrustDomain}/ns/{instance.Namespace}/sa/{instance.ServiceAccount}", instance.Ttl is { } ttl ? DurationText.Format(ttl) : null);

    private static Refusal Unknown(InstanceKey key) => new(StatusCodes.Status404NotFound, $"{key} is not registered", "register it with PUT");

    private static string Part(HttpContext http, string name) => (string)http.Request.RouteValues[name]!;

    private static void Require(HttpContext http, params ReadOnlySpan<string> methods)
    {
        foreach (var method in methods)
        {
            if (HttpMethods.Equals(http.Request.Method, method))
                return;
        }

        throw new Refusal(StatusCodes.Status405MethodNotAllowed, $"{http.Request.Method} means nothing here", $"use {string.Join(" or ", methods.ToArray())}");
    }

    private static async Task<T?> ReadAsync<T>(HttpContext http, JsonTypeInfo<T> type)
        where T : class
    {
        using var body = new MemoryStream();
        try
        {
            await http.Request.Body.CopyToAsync(body, http.RequestAborted);
            return body.Length == 0 ? null : JsonSerializer.Deserialize(body.GetBuffer().AsSpan(0, (int)body.Length), type);
        }
        catch (BadHttpRequestException e)
        {
            throw new Refusal(e.StatusCode, e.Message, $"send at most {LargestBody} bytes");
        }
        catch (JsonException e)
        {
            throw new Refusal(StatusCodes.Status400BadRequest, $"the body is not what is expected: {e.Message}", "see docs/registration.md for the fields");
        }
    }

    private static async Task WriteAsync<T>(HttpContext http, T body, JsonTypeInfo<T> type)
    {
        http.Response.ContentType = "application/json";
        await http.Response.Body.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(body, type), http.RequestAborted);
    }

    private sealed class Refusal(int status, string reason, string fix) : Exception(reason)
    {
        public int Status { get; } = status;
        public string Fix { get; } = fix;
    }
}
