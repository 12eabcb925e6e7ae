using System.Net.Sockets;
using Mesh.Hbone;
using Mesh.Http2;
using Mesh.Ztunnel.Forwarding;

namespace Mesh.Ztunnel.Tests.Forwarding;

/// <summary>What the data path may allocate: nothing per exchange, through the pump, HTTP/2 both ways, TLS both ways and the sockets.</summary>
public sealed class PumpBudgetTests
{
    private const int WarmUp = 300;
    private const int Exchanges = 2000;

    /// <summary>For the two calls that read the counter and for the housekeeping of some seconds; less than an object per exchange by far.</summary>
    private const int Overhead = 8 * 1024;

    [Theory]
    [InlineData(128)]
    [InlineData(12_000)]
    public async Task Exchange_InTheSteadyState_AllocatesNothing(int bytes)
    {
        await using var pair = await TunnelPair.OpenAsync();
        var (proxy, application) = await TunnelPair.ApplicationAsync(pair.Loop);
        application.ReceiveTimeout = 30_000;
        var owner = await pair.Loop.InvokeAsync(() =>
        {
            pair.Client.Attach(new Echo(pair.Client));
            var told = new Owner();
            new DuplexPump(proxy, pair.Server, socketIsClient: false, new NoMeter(), TimeSpan.Zero).Start(told);
            return told;
        });

        Exchange(application, bytes, WarmUp);
        var before = await pair.Loop.InvokeAsync(GC.GetAllocatedBytesForCurrentThread);
        Exchange(application, bytes, Exchanges);
        var allocated = await pair.Loop.InvokeAsync(GC.GetAllocatedBytesForCurrentThread) - before;

        Assert.InRange(allocated, 0, Overhead);
        application.Dispose();
        await owner.End.WaitAsync(TimeSpan.FromSeconds(30));
        await pair.Loop.InvokeAsync(proxy.Dispose);
    }

    private static void Exchange(Socket application, int bytes, int times)
    {
        var message = new byte[bytes];
        for (var i = 0; i < times; i++)
        {
            application.Send(message);
            for (var received = 0; received < bytes;)
            {
                var count = application.Receive(message);
                Assert.True(count > 0, "the echo goes on");
                received += count;
            }
        }
    }

    private sealed class Owner : ITransferOwner
    {
        private readonly TaskCompletionSource<TransferResult> _end = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<TransferResult> End => _end.Task;

        public void Ended(TransferResult result) => _end.SetResult(result);
    }

    private sealed class Echo(Tunnel tunnel) : ITunnelHandler
    {
        public void OnData(ReadOnlySpan<byte> data)
        {
            tunnel.Write(data);
            tunnel.Consume(data.Length);
        }

        public void OnEndOfData() => tunnel.EndWrite();

        public void OnWritable()
        {
            // Far less than a window is ever under way.
        }

        public void OnReset(Http2ErrorCode? code, bool byPeer)
        {
            // The end of the test.
        }
    }

    private sealed class NoMeter : ITransferMeter
    {
        public void Forwarded(long bytes)
        {
            // Counted elsewhere.
        }

        public void Returned(long bytes)
        {
            // Counted elsewhere.
        }
    }
}
