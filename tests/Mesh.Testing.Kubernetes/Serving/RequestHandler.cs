using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Mesh.Testing.Kubernetes.Access;
using Mesh.Testing.Kubernetes.Storage;
using Microsoft.AspNetCore.Http;

namespace Mesh.Testing.Kubernetes.Serving;

/// <summary>One request from start to end: (1) faults  (2) who asks  (3) what for  (4) may they  (5) do it.</summary>
internal sealed class RequestHandler(ApiStore store, Tokens tokens, RoleAuthorizer authorization, AdmissionWebhooks webhooks, Faults faults, Lists lists, Watches watches)
{
    // Of each request: method, path and query; the oldest go.
    private const int MostLogged = 10_000;
    private readonly Reviews _reviews = new(tokens, authorization);

    public ConcurrentQueue<string> Log { get; } = new();
    public ConcurrentQueue<AccessRecord> Accesses { get; } = new();

    public async Task HandleAsync(HttpContext context)
    {
        Log.Enqueue($"{context.Request.Method} {context.Request.Path}{context.Request.QueryString}");
        while (Log.Count > MostLogged)
            Log.TryDequeue(out _);
        try
        {
            // (1)
            var fault = faults.Take(context.Request);
            if (fault is not null && await IsSpoiltAsync(context, fault))
                return;
            // (2)
            var user = Authenticate(context);
            // (3)
            var path = context.Request.Path.Value!;
            if (path is "/healthz" or "/livez" or "/readyz")
            {
                await context.Response.WriteAsync("ok", context.RequestAborted);
                return;
            }
            if (user.Name == ApiUser.Anonymous.Name && path != "/version")
                throw new ApiError(403, "Forbidden", $"forbidden: User \"{user.Name}\" cannot {context.Request.Method.ToLowerInvariant()} path \"{path}\"");
            if (context.Request.Method == "GET" && DiscoveryPages.Find(store, path) is { } page)
            {
                await ResponseWriting.JsonAsync(context, 200, page);
                return;
            }
            var target = ApiTarget.Parse(store, path) ?? throw ApiError.NoSuchApi();
            await ServeAsync(context, target, user, fault);
        }
        catch (ApiError e) when (!context.Response.HasStarted)
        {
            await ResponseWriting.ErrorAsync(context, e);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException && !context.Response.HasStarted)
        {
            await ResponseWriting.ErrorAsync(context, ApiError.BadRequest(e.Message));
        }
        catch (OperationCanceledException)
        {
            // The client went away.
        }
    }

    private async Task ServeAsync(HttpContext context, ApiTarget target, ApiUser user, Fault? fault)
    {
        var query = context.Request.Query;
        var isWatch = query["watch"] == "true" || query["watch"] == "1";
        var verb = (context.Request.Method, target.Name) switch
        {
            ("GET", null) => isWatch ? "watch" : "list",
            ("GET", _) => "get",
            ("POST", _) => "create",
            ("PUT", _) => "update",
            ("PATCH", _) => "patch",
            ("DELETE", null) => "deletecollection",
            ("DELETE", _) => "delete",
            _ => throw new ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource"),
        };
        // (4)
        Authorize(target, user, verb);
        // An apply of what is not there makes it, which is a right of its own.
        if (verb == "patch" && target.Subresource.Length == 0 && context.Request.ContentType?.StartsWith("application/apply-patch", StringComparison.Ordinal) is true
            && store.Find(target.Kind, target.Namespace ?? "", target.Name!) is null)
            Authorize(target, user, "create");
        // (5)
        switch (verb)
        {
            case "watch":
                await watches.AnswerAsync(context, target, fault);
                break;
            case "list":
                await lists.AnswerAsync(context, target);
                break;
            case "get":
                var found = store.Find(target.Kind, target.Namespace ?? "", target.Name!) ?? throw ApiError.NotFound(target.Kind, target.Name!);
                await ResponseWriting.JsonAsync(context, 200, ResponseWriting.Shown(target, found.Body, ResponseWriting.WantsMetadataOnly(context)));
                break;
            case "deletecollection":
                foreach (var item in store.List(target.Kind, target.Namespace, Selectors.Parse(target.Kind, query["labelSelector"], query["fieldSelector"])).Items)
                    store.Delete(target.Kind, item.Namespace, item.Name, null, Context(context, target));
                await ResponseWriting.JsonAsync(context, 200, new JsonObject { ["kind"] = "Status", ["apiVersion"] = "v1", ["metadata"] = new JsonObject(), ["status"] = "Success" });
                break;
            default:
                await WriteAsync(context, target, user, verb);
                break;
        }
    }

    private void Authorize(ApiTarget target, ApiUser user, string verb)
    {
        // What everybody may ask about themselves (system:basic-user).
        if (target.Kind.Kind.StartsWith("SelfSubject", StringComparison.Ordinal))
            return;
        var allowed = authorization.Allows(user, verb, target.Kind.Group, target.Kind.Plural, target.Subresource, target.Namespace ?? "", target.Name ?? "");
        Accesses.Enqueue(new AccessRecord(user.Name, verb, target.Kind.Group, target.Subresource.Length == 0 ? target.Kind.Plural : $"{target.Kind.Plural}/{target.Subresource}", target.Namespace ?? "", target.Name ?? "", allowed));
        while (Accesses.Count > MostLogged)
            Accesses.TryDequeue(out _);
        if (!allowed)
            throw ApiError.Forbidden(user.Name, verb, target.Kind, target.Namespace);
    }

    private async Task WriteAsync(HttpContext context, ApiTarget target, ApiUser user, string verb)
    {
        var text = await new StreamReader(context.Request.Body).ReadToEndAsync(context.RequestAborted);
        if (context.Request.ContentType?.Contains("protobuf", StringComparison.Ordinal) is true)
            throw new ApiError(415, "UnsupportedMediaType", "this server reads JSON only");
        if (verb is "create" && target.Subresource == "token")
        {
            await ResponseWriting.JsonAsync(context, 201, IssueToken(target, (JsonObject)JsonNode.Parse(text)!));
            return;
        }
        if (target.Kind.IsQuestion)
        {
            await ResponseWriting.JsonAsync(context, 201, _reviews.Answer(target.Kind, (JsonObject)JsonNode.Parse(text)!, user));
            return;
        }
        var writing = Context(context, target) with
        {
            // The store is synchronous; a webhook is asked from within, on a thread of its own pool.
            Admit = (operation, after, before) =>
            {
                foreach (var warning in webhooks.AskAsync(target, operation, after, before, user, IsDryRun(context), context.RequestAborted).GetAwaiter().GetResult())
                    context.Response.Headers.Append("Warning", $"299 - \"{warning.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"");
            },
        };
        if (verb is "delete")
        {
            var options = text.Length > 0 ? JsonNode.Parse(text) as JsonObject : null;
            if (context.Request.Query["gracePeriodSeconds"] is [{ } grace])
                (options ??= [])["gracePeriodSeconds"] = int.Parse(grace, CultureInfo.InvariantCulture);
            var gone = store.Delete(target.Kind, target.Namespace ?? "", target.Name!, options, writing);
            await ResponseWriting.JsonAsync(context, 200, target.Kind.Kind is "Pod" or "Service" || gone.Body["metadata"]?["finalizers"] is JsonArray { Count: > 0 }
                ? ResponseWriting.Shown(target, gone.Body, metadataOnly: false)
                : new JsonObject { ["kind"] = "Status", ["apiVersion"] = "v1", ["metadata"] = new JsonObject(), ["status"] = "Success", ["details"] = new JsonObject { ["name"] = target.Name, ["kind"] = target.Kind.Plural, ["uid"] = gone.Uid } });
            return;
        }
        var (stored, created) = Store(context, target, verb, text, writing);
        await ResponseWriting.JsonAsync(context, created ? 201 : 200, ResponseWriting.Shown(target, stored.Body, metadataOnly: false));
    }

    private (StoredObject Stored, bool Created) Store(HttpContext context, ApiTarget target, string verb, string text, WriteContext writing)
    {
        var ns = target.Namespace ?? "";
        if (verb is "create")
            return (store.Create(target.Kind, target.Namespace, Body(text), writing), true);
        if (verb is "update")
            return (store.Update(target.Kind, ns, target.Name!, _ => Body(text), writing), false);
        var type = context.Request.ContentType ?? "";
        if (type.StartsWith("application/apply-patch", StringComparison.Ordinal))
        {
            if (context.Request.Query["fieldManager"].Count == 0)
                throw ApiError.Invalid(target.Kind, target.Name!, ("fieldManager", "Required value: is required for apply patch"));
            return store.Apply(target.Kind, ns, target.Name!, Body(text), context.Request.Query["force"] == "true", writing);
        }
        Func<JsonObject, JsonObject> change = type switch
        {
            _ when type.StartsWith("application/merge-patch+json", StringComparison.Ordinal) => live => (JsonObject)Patching.Merge(live, Body(text))!,
            _ when type.StartsWith("application/strategic-merge-patch+json", StringComparison.Ordinal) && !target.Kind.IsCustom => live => (JsonObject)Patching.Strategic("", live, Body(text))!,
            _ when type.StartsWith("application/json-patch+json", StringComparison.Ordinal) => live => Patching.Operations(live, (JsonArray)JsonNode.Parse(text)!),
            _ => throw new ApiError(415, "UnsupportedMediaType", $"the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml (got {type})"),
        };
        // A patch of what is there is no lock, unless the patch itself names a version.
        return (store.Update(target.Kind, ns, target.Name!, change, writing), false);
    }

    private JsonObject IssueToken(ApiTarget target, JsonObject request)
    {
        if (target.Kind.Kind != "ServiceAccount")
            throw ApiError.NoSuchApi();
        _ = store.Find(target.Kind, target.Namespace!, target.Name!) ?? throw ApiError.NotFound(target.Kind, target.Name!);
        var spec = request["spec"];
        var seconds = (int?)spec?["expirationSeconds"] ?? 3600;
        if (seconds < 600)
            throw ApiError.Invalid(target.Kind, target.Name!, ("spec.expirationSeconds", "Invalid value: may not specify a duration less than 10 minutes"));
        var audiences = (spec?["audiences"] as JsonArray ?? []).Select(a => (string)a!).ToList();
        var answer = (JsonObject)request.DeepClone();
        answer["status"] = new JsonObject
        {
            ["token"] = tokens.Issue(target.Namespace!, target.Name!, audiences.Count > 0 ? audiences : [Tokens.ApiAudience], TimeSpan.FromSeconds(seconds), (string?)spec?["boundObjectRef"]?["name"]),
            ["expirationTimestamp"] = DateTimeOffset.Parse(store.Now, CultureInfo.InvariantCulture).AddSeconds(seconds).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture),
        };
        return answer;
    }

    private static WriteContext Context(HttpContext context, ApiTarget target)
    {
        var agent = context.Request.Headers.UserAgent.ToString().Split('/')[0];
        return new WriteContext
        {
            Manager = context.Request.Query["fieldManager"] is [{ Length: > 0 } manager] ? manager : agent.Length > 0 ? agent : "unknown",
            Subresource = target.Subresource,
            DryRun = IsDryRun(context),
        };
    }

    private static bool IsDryRun(HttpContext context) => context.Request.Query["dryRun"] == "All";

    private static JsonObject Body(string text) => JsonNode.Parse(text) as JsonObject ?? throw ApiError.BadRequest("the body is no object");

    private ApiUser Authenticate(HttpContext context)
    {
        var header = context.Request.Headers.Authorization.ToString();
        if (header.StartsWith("Bearer ", StringComparison.Ordinal) && header.Length > 7)
        {
            var (user, audiences, _) = tokens.Verify(header[7..], []);
            return user is not null && audiences.Count > 0 ? user : throw new ApiError(401, "Unauthorized", "Unauthorized");
        }
        return context.Connection.ClientCertificate is { } certificate
            ? new ApiUser(certificate.GetNameInfo(System.Security.Cryptography.X509Certificates.X509NameType.SimpleName, false), ["system:masters", "system:authenticated"])
            : ApiUser.Anonymous;
    }

    /// <summary>True: the request is over.</summary>
    private static async Task<bool> IsSpoiltAsync(HttpContext context, Fault fault)
    {
        if (fault.Delay > TimeSpan.Zero)
            await Task.Delay(fault.Delay, context.RequestAborted);
        if (fault.Hang)
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        if (fault.Abort)
        {
            context.Abort();
            return true;
        }
        if (fault.Status == 0)
            return false;
        context.Response.StatusCode = fault.Status;
        context.Response.ContentType = fault.ContentType;
        if (fault.RetryAfter > 0)
            context.Response.Headers.RetryAfter = fault.RetryAfter.ToString(CultureInfo.InvariantCulture);
        await context.Response.WriteAsync(fault.Body, context.RequestAborted);
        return true;
    }
}
