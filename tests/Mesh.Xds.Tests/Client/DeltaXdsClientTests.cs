using Mesh.Xds.Client;
using Mesh.Xds.Grpc;
using static Mesh.Xds.Tests.Client.XdsClientRig;

namespace Mesh.Xds.Tests.Client;

public sealed class DeltaXdsClientTests
{
    [Fact]
    public async Task FirstSync_WaitsForEveryTypeToBeAccepted()
    {
        await using var rig = new XdsClientRig();
        var stream = await rig.Server.AcceptAsync();
        await stream.AnswerAsync(Response(XdsTypeUrls.Address, "n1", ("a", "1")));
        Assert.False(rig.Client.FirstSync.IsCompleted);
        await stream.AnswerAsync(Response(XdsTypeUrls.Authorization, "n2", ("bad", "1")));
        Assert.False(rig.Client.FirstSync.IsCompleted);
        await stream.AnswerAsync(Response(XdsTypeUrls.Authorization, "n3"));
        await rig.Client.FirstSync.WaitAsync(TimeSpan.FromSeconds(20));
    }

    [Fact]
    public async Task Response_WithBadResources_AppliesTheOthersAndNamesTheBad()
    {
        await using var rig = new XdsClientRig();
        var stream = await rig.Server.AcceptAsync();
        var nack = await stream.AnswerAsync(Response(XdsTypeUrls.Address, "n1", ("bad1", "1"), ("good", "1"), ("bad2", "1")));
        Assert.Equal("n1", nack.ResponseNonce);
        Assert.Equal("bad1: is bad; bad2: is bad", nack.ErrorDetail.Message);
        Assert.Equal(0, nack.ErrorDetail.Code);
        Assert.Null(nack.Node);
        Assert.Contains("+good", rig.Addresses.Log);
    }

    [Fact]
    public async Task Reconnect_SendsTheVersionsOfWhatWasAcceptedAndNotRemoved()
    {
        await using var rig = new XdsClientRig();
        var stream = await rig.Server.AcceptAsync();
        Assert.Empty(stream.First[0].InitialResourceVersions);
        await stream.AnswerAsync(Response(XdsTypeUrls.Address, "n1", ("a", "1"), ("b", "7"), ("bad", "1")));
        var removal = Response(XdsTypeUrls.Address, "n2");
        removal.RemovedResources.Add("a");
        await stream.AnswerAsync(removal);
        stream.End();
        var again = await rig.Server.NextAsync();
        Assert.Equal([("b", "7")], again.First[0].InitialResourceVersions.Select(v => (v.Key, v.Value)));
        Assert.Empty(again.First[1].InitialResourceVersions);
        Assert.NotNull(again.First[0].Node);
    }

    [Fact]
    public async Task Handler_ThatFails_RefusesTheResponseAndTheStreamGoesOn()
    {
        await using var rig = new XdsClientRig();
        rig.Addresses.Fails = new InvalidOperationException("boom");
        var stream = await rig.Server.AcceptAsync();
        Assert.Equal("a: could not be applied: boom", (await stream.AnswerAsync(Response(XdsTypeUrls.Address, "n1", ("a", "1")))).ErrorDetail.Message);
        rig.Addresses.Fails = null;
        Assert.Null((await stream.AnswerAsync(Response(XdsTypeUrls.Address, "n2", ("a", "1")))).ErrorDetail);
    }

    [Fact]
    public async Task Response_OfAnUnknownType_IsAccepted()
    {
        await using var rig = new XdsClientRig();
        var stream = await rig.Server.AcceptAsync();
        var ack = await stream.AnswerAsync(Response("type.googleapis.com/some.Other", "n1", ("x", "1")));
        Assert.Equal(("type.googleapis.com/some.Other", "n1", null), (ack.TypeUrl, ack.ResponseNonce, ack.ErrorDetail));
    }

    [Fact]
    public async Task Messages_AreCountedByTheSizeOfTheirResources()
    {
        await using var rig = new XdsClientRig();
        var stream = await rig.Server.AcceptAsync();
        await stream.AnswerAsync(Response(XdsTypeUrls.Address, "n1", ("a", "1"), ("b", "1")));
        Assert.Equal(10, rig.Observed.Bytes[XdsTypeUrls.Address]);
    }

    [Fact]
    public async Task Connection_Refused_IsRetriedWithDoublingDelaysUpToFifteenSeconds()
    {
        await using var rig = new XdsClientRig();
        var expected = TimeSpan.FromMilliseconds(20);
        for (var i = 0; i < 14; i++)
        {
            (await rig.Server.NextAsync()).Refuse(GrpcStatusCode.Unavailable, "no");
            var (reason, delay) = await rig.Observed.NextEndAsync();
            Assert.Equal(XdsTermination.ConnectionError, reason);
            Assert.InRange(delay, expected * 0.7, expected);
            expected = expected * 2 < TimeSpan.FromSeconds(15) ? expected * 2 : TimeSpan.FromSeconds(15);
            await rig.Time.TimerIsSetAsync(delay);
            rig.Time.Advance(delay);
        }
    }

    [Theory]
    [InlineData(GrpcStatusCode.Unknown, "not synced", XdsTermination.Reconnect, 10)]
    [InlineData(GrpcStatusCode.Cancelled, "", XdsTermination.Reconnect, 10)]
    [InlineData(GrpcStatusCode.DeadlineExceeded, "", XdsTermination.Reconnect, 10)]
    [InlineData(GrpcStatusCode.Unavailable, "transport is closing", XdsTermination.Reconnect, 10)]
    [InlineData(GrpcStatusCode.Unavailable, "error: received prior goaway: max_age", XdsTermination.Reconnect, 10)]
    [InlineData(GrpcStatusCode.Unavailable, "overloaded", XdsTermination.Error, 20)]
    [InlineData(GrpcStatusCode.PermissionDenied, "no", XdsTermination.Error, 20)]
    public async Task Stream_EndedWithAStatus_IsClassifiedAndWaits(GrpcStatusCode code, string detail, XdsTermination reason, int milliseconds)
    {
        await using var rig = new XdsClientRig();
        var stream = await rig.Server.AcceptAsync();
        await stream.AnswerAsync(Response(XdsTypeUrls.Address, "n1"));
        stream.End(new GrpcException(code, detail));
        var end = await rig.Observed.NextEndAsync();
        Assert.Equal(reason, end.Reason);
        Assert.InRange(end.RetryIn.TotalMilliseconds, milliseconds * 0.7, milliseconds);
    }

    [Fact]
    public async Task Stream_EndedCleanly_IsReopenedAtOnce()
    {
        await using var rig = new XdsClientRig();
        var stream = await rig.Server.AcceptAsync();
        await stream.AnswerAsync(Response(XdsTypeUrls.Address, "n1"));
        stream.End();
        Assert.Equal((XdsTermination.Complete, TimeSpan.Zero), await rig.Observed.NextEndAsync());
        await rig.Server.NextAsync();
    }

    [Fact]
    public async Task Stream_EndedCleanlyWithoutAnyMessage_IsNotReopenedInATightLoop()
    {
        await using var rig = new XdsClientRig();
        (await rig.Server.AcceptAsync()).End();
        var (reason, delay) = await rig.Observed.NextEndAsync();
        Assert.Equal(XdsTermination.Complete, reason);
        Assert.True(delay > TimeSpan.Zero);
    }

    [Fact]
    public async Task Server_ThatTakesTheConnectionAndNeverAnswers_IsLeft()
    {
        await using var rig = new XdsClientRig();
        await rig.Server.NextAsync();
        await rig.Time.TimerIsSetAsync(TimeSpan.FromMinutes(2));
        rig.Time.Advance(TimeSpan.FromMinutes(2));
        Assert.Equal(XdsTermination.ConnectionError, (await rig.Observed.NextEndAsync()).Reason);
        await rig.Time.TimerIsSetAsync(TimeSpan.FromSeconds(1));
        rig.Time.Advance(TimeSpan.FromSeconds(1));
        await rig.Server.AcceptAsync();
    }

    [Fact]
    public async Task State_WhileDisconnected_StaysAndTheStatusSaysWhy()
    {
        await using var rig = new XdsClientRig();
        var stream = await rig.Server.AcceptAsync();
        await stream.AnswerAsync(Response(XdsTypeUrls.Address, "n1", ("a", "1")));
        Assert.True(rig.Client.Status.Connected);
        stream.End(new GrpcException(GrpcStatusCode.PermissionDenied, "token expired"));
        await rig.Observed.NextEndAsync();
        Assert.False(rig.Client.Status.Connected);
        Assert.Contains("token expired", rig.Client.Status.LastError, StringComparison.Ordinal);
        Assert.DoesNotContain("-a", rig.Addresses.Log);
    }

    [Fact]
    public async Task Demand_OfANewName_IsAskedForAndWaitsForItsAnswer()
    {
        await using var rig = new XdsClientRig(XdsSubscriptionMode.OnDemand);
        var stream = await rig.Server.AcceptAsync();
        await stream.AnswerAsync(Response(XdsTypeUrls.Address, "n1"));
        var known = rig.Client.DemandAsync(XdsTypeUrls.Address, "/10.0.0.1");
        Assert.Equal(["/10.0.0.1"], (await stream.NextRequestAsync()).ResourceNamesSubscribe);
        var missing = rig.Client.DemandAsync(XdsTypeUrls.Address, "ns/host");
        await stream.NextRequestAsync();
        Assert.False(known.IsCompleted);

        var answer = Response(XdsTypeUrls.Address, "n2", ("uid", "1"));
        answer.Resources[0].Aliases.Add("/10.0.0.1");
        answer.RemovedResources.Add("ns/host");
        await stream.AnswerAsync(answer);
        await known.WaitAsync(TimeSpan.FromSeconds(20));
        await missing.WaitAsync(TimeSpan.FromSeconds(20));
        await rig.Client.DemandAsync(XdsTypeUrls.Address, "uid"); // there already
    }

    [Fact]
    public async Task Demand_NotAnsweredBeforeTheStreamEnded_IsPartOfTheNextFirstRequest()
    {
        await using var rig = new XdsClientRig(XdsSubscriptionMode.OnDemand);
        var stream = await rig.Server.AcceptAsync();
        await stream.AnswerAsync(Response(XdsTypeUrls.Address, "n1", ("a", "3")));
        var waiting = rig.Client.DemandAsync(XdsTypeUrls.Address, "b");
        await stream.NextRequestAsync();
        stream.End();
        var again = await rig.Server.AcceptAsync();
        Assert.Equal([("a", "3"), ("b", "")], again.First[0].InitialResourceVersions.OrderBy(v => v.Key, StringComparer.Ordinal).Select(v => (v.Key, v.Value)));
        await again.AnswerAsync(Response(XdsTypeUrls.Address, "n1", ("b", "1")));
        await waiting.WaitAsync(TimeSpan.FromSeconds(20));
    }

    [Fact]
    public async Task Demand_OfTheSameNameTwice_IsAskedForOnce()
    {
        await using var rig = new XdsClientRig(XdsSubscriptionMode.OnDemand);
        var stream = await rig.Server.AcceptAsync();
        await stream.AnswerAsync(Response(XdsTypeUrls.Address, "n1"));
        var first = rig.Client.DemandAsync(XdsTypeUrls.Address, "b");
        var second = rig.Client.DemandAsync(XdsTypeUrls.Address, "b");
        await stream.NextRequestAsync();
        var ack = await stream.AnswerAsync(Response(XdsTypeUrls.Address, "n2", ("b", "1")));
        Assert.Equal("n2", ack.ResponseNonce); // nothing else was sent before it
        await Task.WhenAll(first, second).WaitAsync(TimeSpan.FromSeconds(20));
    }
}
