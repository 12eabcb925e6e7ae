using System.Net;
using System.Runtime.CompilerServices;
using System.Text;
using Mesh.Runtime.Metrics;
using Mesh.Waypoint.Filters;
using Mesh.Waypoint.Tests.Harness;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Tests.Filters;

public sealed class FilterTests : IDisposable
{
    private const string Assembly = "Mesh.SampleFilters.dll";

    private readonly string _folder = Directory.CreateTempSubdirectory("mesh-filters-").FullName;
    private readonly MetricRegistry _registry = new();

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static byte[] Sample(char version)
    {
        var bytes = File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, Assembly));
        var at = bytes.AsSpan().IndexOf(Encoding.Unicode.GetBytes("version-1"));
        bytes[at + 16] = (byte)version;
        return bytes;
    }

    private void Install(byte[] bytes)
    {
        // As a careful deployer does: under another name first.
        var beside = Path.Combine(_folder, "new");
        File.WriteAllBytes(beside, bytes);
        File.Move(beside, Path.Combine(_folder, Assembly), overwrite: true);
    }

    private FilterFolder Folder(Func<FilterOptions, FilterOptions>? change = null)
    {
        var options = new FilterOptions { Folder = _folder, TimeBudget = TimeSpan.FromSeconds(5) };
        return new FilterFolder(change?.Invoke(options) ?? options, new FilterCounters(_registry), TimeProvider.System, null);
    }

    private static Task<Origin> EchoAsync() => Origin.StartAsync(http => http.Response.WriteAsync(http.Request.Headers["x-tenant-checked"].ToString()));

    private string Metrics() => Encoding.UTF8.GetString(_registry.Render().Span);

    private static async Task UntilAsync(Func<bool> condition)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (!condition())
            await Task.Delay(20, patience.Token);
    }

    [Fact]
    public async Task Sample_ChangesRequestAndResponse_AndAnswers()
    {
        Install(Sample('1'));
        await using var origin = await EchoAsync();
        await using var mesh = await OneService.StartAsync([origin.Port], filters: Folder());
        using var response = await mesh.GetAsync("/", ("x-tenant", "acme"));
        Assert.Equal($"acme by {Requests.Storefront} for orders.shop.svc.cluster.local", await response.Content.ReadAsStringAsync());
        Assert.Equal("version-1 acme 200", response.Headers.GetValues("x-tenant-filter").Single());
        await mesh.Waypoint.NextReportAsync();
        using var answered = await mesh.GetAsync("/tenants/1");
        Assert.Equal((HttpStatusCode.BadRequest, "name your tenant in x-tenant"), (answered.StatusCode, await answered.Content.ReadAsStringAsync()));
        Assert.Equal("filter_answer{Mesh.SampleFilters.TenantFilter}", (await mesh.Waypoint.NextReportAsync()).Details);
        Assert.Contains("filter=\"Mesh.SampleFilters.TenantFilter\",outcome=\"ok\"", Metrics(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Reload_UnderTraffic_NoRequestFailsAndTheNewVersionServes()
    {
        Install(Sample('1'));
        await using var origin = await EchoAsync();
        await using var mesh = await OneService.StartAsync([origin.Port], filters: Folder());
        var seen = new HashSet<string>();
        var last = '1';
        while (last < '4')
        {
            using var response = await mesh.GetAsync("/");
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            var version = response.Headers.GetValues("x-tenant-filter").Single()[8];
            if (seen.Add(version.ToString()))
                Install(Sample(last = (char)(version + 1)));
        }

        Assert.Equal(["1", "2", "3"], seen.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Reload_OldAssembly_IsUnloaded()
    {
        Install(Sample('1'));
        using var folder = Folder();
        var old = FirstFilter(folder);
        Install(Sample('2'));
        await UntilAsync(() => folder.Generation > 1);
        await UntilAsync(() =>
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            return !old.IsAlive;
        });
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference FirstFilter(FilterFolder folder)
    {
        var set = folder.Enter();
        var reference = new WeakReference(set.Filters[0]);
        set.Leave();
        return reference;
    }

    [Fact]
    public async Task Reload_BrokenFile_TheLastGoodOneStays()
    {
        Install(Sample('1'));
        using var folder = Folder();
        Install([1, 2, 3]);
        await UntilAsync(() => folder.Generation > 1);
        var set = folder.Enter();
        Assert.Equal(2, set.Filters.Count);
        set.Leave();
    }

    [Theory]
    [InlineData("throw", false, 500, "failed")]
    [InlineData("throw", true, 200, "failed")]
    [InlineData("hang", false, 500, "late")]
    [InlineData("deaf", true, 200, "late")]
    [InlineData("allocate", false, 200, "over_allocated")]
    [InlineData("throw-late", true, 200, "failed")]
    public async Task Trouble_IsBoundedCountedAndHandledAsConfigured(string trouble, bool open, int expected, string outcome)
    {
        Install(Sample('1'));
        await using var origin = await EchoAsync();
        await using var mesh = await OneService.StartAsync([origin.Port], filters: Folder(o => o with { FailOpen = open, TimeBudget = TimeSpan.FromSeconds(trouble is "hang" or "deaf" ? 0.2 : 5) }));
        using var response = await mesh.GetAsync("/", ("x-trouble", trouble));
        Assert.Equal(expected, (int)response.StatusCode);
        Assert.Contains($"filter=\"Mesh.SampleFilters.TroubleFilter\",outcome=\"{outcome}\"", Metrics(), StringComparison.Ordinal);
        Assert.Equal(expected == 200 ? 1 : 0, origin.Count);
    }

    [Fact]
    public async Task Trouble_OnTheWayBack_CutsTheResponseWhereFailureIsClosed()
    {
        Install(Sample('1'));
        await using var origin = await EchoAsync();
        await using var mesh = await OneService.StartAsync([origin.Port], filters: Folder());
        await Assert.ThrowsAsync<HttpRequestException>(() => mesh.TextAsync("/", ("x-trouble", "throw-late")));
    }

    [Fact]
    public async Task Framing_CannotBeChangedByAFilter()
    {
        Install(Sample('1'));
        await using var origin = await EchoAsync();
        await using var mesh = await OneService.StartAsync([origin.Port], filters: Folder());
        using var response = await mesh.SendAsync(HttpMethod.Post, "/", new StringContent("123"), ("x-trouble", "smuggle"));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }
}
