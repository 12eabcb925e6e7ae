using System.Net;
using System.Text;
using Mesh.Testing;
using Mesh.Waypoint.Tests.Balancing;
using Mesh.Waypoint.Tests.Harness;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Tests.Authorization.External;

/// <summary>CUSTOM policies against authorizers that are not ours: grpcio and Python's HTTP server.</summary>
public sealed class ExternalAuthorizationTests
{
    private const string Cluster = "infra/service.infra|9000|";

    private static V1.ExternalAuthorizer Grpc(Action<V1.ExternalAuthorizer>? change = null)
    {
        var authorizer = new V1.ExternalAuthorizer { Name = "guard", Cluster = Cluster, Authority = "service.infra:9000", Timeout = Clusters.Seconds(30), Grpc = new V1.ExternalAuthorizer.Types.GrpcCheck() };
        change?.Invoke(authorizer);
        return authorizer;
    }

    private static V1.ExternalAuthorizer Http(Action<V1.ExternalAuthorizer.Types.HttpCheck>? change = null, Action<V1.ExternalAuthorizer>? all = null)
    {
        var authorizer = Grpc();
        authorizer.Http = new V1.ExternalAuthorizer.Types.HttpCheck { RequestHeaders = { "x-wish", "x-us*" } };
        change?.Invoke(authorizer.Http);
        all?.Invoke(authorizer);
        return authorizer;
    }

    private static V1.RequestPolicy Custom(V1.ExternalAuthorizer? authorizer, string? path = null, string name = "ask")
    {
        var rule = new V1.AuthorizationRule();
        if (path is not null)
            rule.To.Add(new V1.Operation { Paths = { path } });
        return new V1.RequestPolicy
        {
            Name = $"AuthorizationPolicy/shop/{name}",
            Namespace = "shop",
            Authorization = new V1.AuthorizationRules { Action = V1.AuthorizationRules.Types.Action.Custom, CustomProvider = "guard", Authorizer = authorizer, Rules = { rule } },
        };
    }

    private static Task<Origin> EchoAsync() => Origin.StartAsync(async http =>
    {
        using var reader = new StreamReader(http.Request.Body);
        var h = http.Request.Headers;
        await http.Response.WriteAsync(string.Join('\n', http.Request.QueryString.Value, h["x-seen"], h["x-role"], h["x-list"], h["x-secret"], h["x-hidden"], await reader.ReadToEndAsync()));
    });

    private static async Task<OneService> MeshAsync(int origin, int authorizer, params V1.RequestPolicy[] policies)
    {
        var mesh = await OneService.StartAsync([origin], policies: policies);
        Assert.Empty(mesh.Waypoint.Configuration.ApplyClusters([(Cluster, PythonService.Cluster(Cluster, authorizer))], []));
        return mesh;
    }

    [PythonGrpcFact]
    public async Task Grpc_Allowed_TheRequestIsChangedAsItSays()
    {
        using var guard = await PythonService.GrpcAsync();
        await using var origin = await EchoAsync();
        await using var mesh = await MeshAsync(origin.Port, guard.Port, Custom(Grpc(), "/checked*"));
        using var response = await mesh.GetAsync("/checked?debug=1&x=%20y", ("x-role", "user"), ("x-list", "first"), ("x-secret", "s"), ("Host", "shop.example"), ("x-request-id", "r1"));
        Assert.Equal("yes", response.Headers.GetValues("x-checked").Single());
        var seen = (await response.Content.ReadAsStringAsync()).Split('\n');
        Assert.Equal("?x=%20y&tenant=a%20b", seen[0]);
        Assert.Equal($"{Requests.Storefront}|127.0.0.1|orders.shop.svc.cluster.local|80|GET|/checked?debug=1&x=%20y|shop.example|http|HTTP/1.1|-1|/checked?debug=1&x=%20y|-||", seen[1]);
        Assert.Equal(("admin", "first,second", string.Empty), (seen[2], seen[3], seen[4]));

        // What no rule matches is not asked about.
        Assert.Equal(string.Empty, (await mesh.TextAsync("/free")).Split('\n')[1]);
    }

    [PythonGrpcFact]
    public async Task Grpc_Denied_AnswersAsItSaysAndNothingReachesTheApplication()
    {
        using var guard = await PythonService.GrpcAsync();
        await using var origin = await EchoAsync();
        await using var mesh = await MeshAsync(origin.Port, guard.Port, Custom(Grpc()));
        using var plain = await mesh.GetAsync("/", ("x-wish", "deny"));
        Assert.Equal((HttpStatusCode.Forbidden, string.Empty), (plain.StatusCode, await plain.Content.ReadAsStringAsync()));
        var report = await mesh.Waypoint.NextReportAsync();
        Assert.Equal((403, "UAEX", "ext_authz_denied"), (report.Status, report.Flags, report.Details));

        using var asked = await mesh.GetAsync("/", ("x-wish", "deny-as-it-likes"));
        Assert.Equal((HttpStatusCode.Unauthorized, "who are you?"), (asked.StatusCode, await asked.Content.ReadAsStringAsync()));
        Assert.Equal("Negotiate", asked.Headers.WwwAuthenticate.ToString());

        using var grpc = await mesh.SendAsync(HttpMethod.Post, "/", new ByteArrayContent([]) { Headers = { { "content-type", "application/grpc" } } }, ("x-wish", "deny-as-it-likes"));
        Assert.Equal((HttpStatusCode.OK, "16"), (grpc.StatusCode, grpc.Headers.GetValues("grpc-status").Single()));
        Assert.Equal(0, origin.Count);
    }

    [PythonGrpcTheory]
    [InlineData("fail", false, 0u, 403)]
    [InlineData("fail", false, 503u, 503)]
    [InlineData("fail", true, 0u, 200)]
    [InlineData("silent", false, 504u, 504)]
    [InlineData("silent", true, 0u, 200)]
    public async Task Grpc_NoAnswer_FailsAsConfigured(string wish, bool open, uint statusOnError, int expected)
    {
        using var guard = await PythonService.GrpcAsync();
        await using var origin = await EchoAsync();
        await using var mesh = await MeshAsync(origin.Port, guard.Port, Custom(Grpc(a =>
        {
            a.FailOpen = open;
            a.StatusOnError = statusOnError;
            if (wish == "silent")
                a.Timeout = Clusters.Seconds(0.3);
        })));
        using var response = await mesh.GetAsync("/", ("x-wish", wish));
        Assert.Equal(expected, (int)response.StatusCode);
        Assert.Equal(open ? 1 : 0, origin.Count);
        if (!open)
            Assert.Equal("ext_authz_error", (await mesh.Waypoint.NextReportAsync()).Details);
    }

    [Fact]
    public async Task Authorizer_Unreachable_FailsClosed()
    {
        await using var origin = await EchoAsync();
        await using var mesh = await MeshAsync(origin.Port, 1, Custom(Grpc()));
        using var response = await mesh.GetAsync("/");
        Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
        mesh.Waypoint.Configuration.ApplyClusters([], [Cluster]);
        using var unknown = await mesh.GetAsync("/");
        Assert.Equal(HttpStatusCode.Forbidden, unknown.StatusCode);
        Assert.Equal(0, origin.Count);
    }

    [PythonGrpcTheory]
    [InlineData(5u, true, false, "true", "01234", "")]
    [InlineData(5u, true, true, "true", "", "3031323334")]
    [InlineData(100u, false, false, "false", "0123456789", "")]
    public async Task Grpc_Body_IsToldUpToItsLimitAndForwardedWhole(uint limit, bool partial, bool bytes, string isPartial, string text, string raw)
    {
        using var guard = await PythonService.GrpcAsync();
        await using var origin = await EchoAsync();
        await using var mesh = await MeshAsync(origin.Port, guard.Port, Custom(Grpc(a => a.Body = new V1.ExternalAuthorizer.Types.CheckedBody { MaxBytes = limit, AllowPartial = partial, AsBytes = bytes })));
        using var response = await mesh.SendAsync(HttpMethod.Post, "/", new StringContent("0123456789"));
        var seen = (await response.Content.ReadAsStringAsync()).Split('\n');
        Assert.EndsWith($"|{isPartial}|{text}|{raw}", seen[1], StringComparison.Ordinal);
        Assert.Equal("0123456789", seen[6]);
    }

    [PythonGrpcFact]
    public async Task Grpc_LargeBody_IsForwardedWholeAfterItsStartWasTold()
    {
        using var guard = await PythonService.GrpcAsync();
        await using var origin = await Origin.StartAsync(http => http.Request.Body.CopyToAsync(http.Response.Body));
        await using var mesh = await MeshAsync(origin.Port, guard.Port, Custom(Grpc(a => a.Body = new V1.ExternalAuthorizer.Types.CheckedBody { MaxBytes = 1000, AllowPartial = true })));
        var body = new byte[3_000_000];
        Array.Fill(body, (byte)'x');
        Random.Shared.NextBytes(body.AsSpan(2000));
        using var response = await mesh.SendAsync(HttpMethod.Post, "/", new ByteArrayContent(body));
        Assert.Equal(body, await response.Content.ReadAsByteArrayAsync());
    }

    [Fact]
    public async Task Body_TooLongAndNotPartial_Is413WithoutAsking()
    {
        await using var origin = await EchoAsync();
        await using var mesh = await MeshAsync(origin.Port, 1, Custom(Grpc(a => a.Body = new V1.ExternalAuthorizer.Types.CheckedBody { MaxBytes = 5 })));
        using var response = await mesh.SendAsync(HttpMethod.Post, "/", new StringContent("0123456789"));
        Assert.Equal((HttpStatusCode)413, response.StatusCode);
    }

    [ToolFact("python3")]
    public async Task Http_Allowed_HeadersGoBothWaysAsListed()
    {
        using var guard = await PythonService.StartAsync("http_authorizer.py");
        await using var origin = await EchoAsync();
        await using var mesh = await MeshAsync(origin.Port, guard.Port, Custom(Http(h =>
        {
            h.PathPrefix = "/auth";
            h.AdditionalHeaders["x-added"] = "1";
            h.UpstreamHeadersOnAllow.Add(["x-seen", "X-Role"]);
            h.DownstreamHeadersOnAllow.Add("x-ro*");
        })));
        using var response = await mesh.GetAsync("/a%2Fb?q=1", ("Authorization", "Bearer t"), ("x-user", "u"), ("x-other", "o"), ("x-hidden", "0"), ("Host", "shop.example"));
        Assert.Equal("admin", response.Headers.GetValues("x-role").Single());
        Assert.False(response.Headers.Contains("x-hidden"));
        var seen = (await response.Content.ReadAsStringAsync()).Split('\n');
        Assert.Equal("GET|/auth/a%2Fb?q=1|shop.example|Bearer t|u|-|1|-|", seen[1]);
        Assert.Equal(("admin", "0"), (seen[2], seen[5]));
    }

    [ToolFact("python3")]
    public async Task Http_AnythingButTwoHundred_IsTheClientsAnswer()
    {
        using var guard = await PythonService.StartAsync("http_authorizer.py");
        await using var origin = await EchoAsync();
        await using var mesh = await MeshAsync(origin.Port, guard.Port, Custom(Http(h => h.DownstreamHeadersOnDeny.Add("x-role"))));
        using var denied = await mesh.GetAsync("/", ("x-wish", "login"));
        Assert.Equal((HttpStatusCode.Found, "said no"), (denied.StatusCode, await denied.Content.ReadAsStringAsync()));
        Assert.Equal("http://login.example/", denied.Headers.Location!.ToString());
        Assert.True(denied.Headers.Contains("x-role"));
        Assert.False(denied.Headers.Contains("x-hidden"));
        using var created = await mesh.GetAsync("/", ("x-wish", "created"));
        Assert.Equal(HttpStatusCode.Created, created.StatusCode);
        using var ill = await mesh.GetAsync("/", ("x-wish", "ill"));
        Assert.Equal(HttpStatusCode.Forbidden, ill.StatusCode);
        Assert.Equal(0, origin.Count);
    }

    [ToolFact("python3")]
    public async Task Http_Body_IsTold()
    {
        using var guard = await PythonService.StartAsync("http_authorizer.py");
        await using var origin = await EchoAsync();
        await using var mesh = await MeshAsync(origin.Port, guard.Port, Custom(Http(
            h => h.UpstreamHeadersOnAllow.Add("x-seen"),
            a => a.Body = new V1.ExternalAuthorizer.Types.CheckedBody { MaxBytes = 4, AllowPartial = true })));
        using var response = await mesh.SendAsync(HttpMethod.Post, "/", new StringContent("012345", Encoding.ASCII));
        var seen = (await response.Content.ReadAsStringAsync()).Split('\n');
        Assert.EndsWith("|true|0123", seen[1], StringComparison.Ordinal);
        Assert.Equal("012345", seen[6]);
    }

    [ToolFact("python3")]
    public async Task ClearRouteCache_TheChangedRequestChoosesItsRoute()
    {
        using var guard = await PythonService.StartAsync("http_authorizer.py");
        await using var origin = await EchoAsync();
        await using var mesh = await MeshAsync(origin.Port, guard.Port);
        var port = (V1.ServicePort p) => p.HttpRoutes.Add([
            new V1.HttpRoute { Name = "admins", Matches = { new V1.RouteMatch { Headers = { new V1.HeaderMatch { Name = "x-role", Value = new V1.StringMatch { Exact = "admin" } } } } }, DirectResponse = new V1.DirectResponse { Status = 204 } },
            new V1.HttpRoute { Name = "others", DirectResponse = new V1.DirectResponse { Status = 404 } }]);
        foreach (var (again, expected) in (ReadOnlySpan<(bool, int)>)[(true, 204), (false, 404)])
        {
            mesh.Apply([origin.Port], port, policies: Custom(Http(h => h.UpstreamHeadersOnAllow.Add("x-role"), a => a.ClearRouteCache = again)));
            using var response = mesh.GetAsync("/").GetAwaiter().GetResult();
            Assert.Equal(expected, (int)response.StatusCode);
        }
    }

    [PythonGrpcTheory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public async Task Tcp_GrpcIsAskedAboutTheConnection_HttpCannotBe(bool http, bool expected)
    {
        using var guard = await PythonService.GrpcAsync();
        await using var origin = await Origin.TextAsync("hello");
        await using var mesh = await MeshAsync(origin.Port, guard.Port);
        mesh.Apply([origin.Port], p => p.Protocol = V1.Protocol.Tcp, policies: Custom(http ? Http() : Grpc()));
        var answer = await mesh.RawAsync("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        Assert.Equal(expected, answer.Contains("hello", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Provider_Unknown_DeniesWhatMatchesOnly()
    {
        await using var origin = await EchoAsync();
        await using var mesh = await MeshAsync(origin.Port, 1, Custom(null, "/checked"));
        using var matched = await mesh.GetAsync("/checked");
        Assert.Equal((HttpStatusCode.Forbidden, "RBAC: access denied"), (matched.StatusCode, await matched.Content.ReadAsStringAsync()));
        using var other = await mesh.GetAsync("/free");
        Assert.Equal(HttpStatusCode.OK, other.StatusCode);
    }
}
