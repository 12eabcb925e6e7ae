using System.Net;
using FsCheck.Xunit;
using Mesh.Http2;

namespace Mesh.Hbone.Tests;

public sealed class HeaderTests
{
    [Fact]
    public void Baggage_OfAFullWorkload_IsWrittenInZtunnelsOrder()
    {
        var baggage = new Baggage
        {
            ClusterId = "Kubernetes",
            Namespace = "default",
            WorkloadType = "deployment",
            WorkloadName = "cl-deploy",
            ServiceName = "cl-app",
            ServiceVersion = "v1",
            Region = "r1",
            Zone = "z1",
        };

        Assert.Equal(
            "k8s.cluster.name=Kubernetes,k8s.namespace.name=default,k8s.deployment.name=cl-deploy,service.name=cl-app,service.version=v1,cloud.region=r1,cloud.availability_zone=z1",
            baggage.ToString());
    }

    [Theory]
    [InlineData("", null, null)]
    [InlineData("k8s.namespace.name=a,k8s.pod.name=p", "a", "p")]
    [InlineData("k8s.namespace.name=,k8s.job.name=j=x", null, "j")] // empty is none; only the second part counts
    [InlineData(" k8s.namespace.name=a,unknown=1,novalue", null, null)] // keys are not trimmed
    public void Baggage_Parse_TakesWhatItKnows(string line, string? ns, string? workload)
    {
        var baggage = Baggage.Parse([line]);

        Assert.Equal(ns, baggage.Namespace);
        Assert.Equal(workload, baggage.WorkloadName);
    }

    [Property]
    public void Baggage_ParseOfAnything_NeverFails(string[] lines) => Assert.NotNull(Baggage.Parse(lines.Select(l => l ?? string.Empty)));

    [Theory]
    [InlineData("for=\"198.18.1.11:41000\";host=echo.default.svc.cluster.local", "echo.default.svc.cluster.local", "198.18.1.11:41000")]
    [InlineData("for=\"[fd00::1]:41000\"", null, "[fd00::1]:41000")]
    [InlineData("host=\"a.b\"; for=x", "a.b", null)]
    [InlineData("host=", null, null)]
    [InlineData("hös=1", null, null)]
    public void Forwarded_Parse_FindsHostAndFor(string value, string? host, string? client)
    {
        var headers = new HeaderList { new HeaderField("forwarded", value) };

        Assert.Equal(host, HboneHeaders.ForwardedHost(headers));
        Assert.Equal(client, HboneHeaders.ForwardedFor(headers)?.ToString());
    }

    [Fact]
    public void Connect_TowardsAPod_HasTheRecordedFieldsInOrder()
    {
        var headers = HboneHeaders.Connect("198.18.1.41:8080", new Baggage { Namespace = "default" }, new IPEndPoint(IPAddress.Parse("198.18.1.11"), 41000), "echo", TraceParent.New());

        Assert.Equal([":method", ":authority", "baggage", "forwarded", "traceparent"], ((IEnumerable<HeaderField>)headers).Select(h => h.Name));
        Assert.Equal("for=\"198.18.1.11:41000\";host=echo", headers.Get("forwarded"));
    }

    [Fact]
    public void Connect_InsideATunnelToAGateway_NamesItsNetwork_TheOuterOneDoesNot()
    {
        HeaderList Connect(string? network) => HboneHeaders.Connect("echo:80", Baggage.Empty, new IPEndPoint(IPAddress.Loopback, 1), null, TraceParent.New(), network);
        Assert.Equal("own", Connect("own").Get("x-forwarded-network"));
        Assert.Equal(string.Empty, Connect(string.Empty).Get("x-forwarded-network"));
        Assert.Null(Connect(null).Get("x-forwarded-network"));
    }

    [Fact]
    public void TraceParent_RoundTrip_KeepsTraceAndSpan()
    {
        var trace = TraceParent.New();

        Assert.True(TraceParent.TryParse(trace.ToString(), out var parsed));
        Assert.Equal(trace, parsed);
        Assert.Equal(trace.TraceId, trace.Child().TraceId);
        Assert.NotEqual(trace.SpanId, trace.Child().SpanId);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("00-x")]
    [InlineData("0000000000000000000000000000000000000000000000000000000")] // 55 characters without dashes
    [InlineData("00-ZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZ-0000000000000001-00")]
    [InlineData("00-00000000000000000000000000000000-0000000000000001-00")]
    [InlineData("00-00000000000000000000000000000001-0000000000000000-00")]
    public void TraceParent_Nonsense_IsRefused(string? text) => Assert.False(TraceParent.TryParse(text, out _));
}
