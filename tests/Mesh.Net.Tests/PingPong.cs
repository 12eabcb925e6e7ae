namespace Mesh.Net.Tests;

/// <summary>Two transports on one loop that throw a message back and forth; counts what the loop's thread allocates once it is warm.</summary>
internal sealed class PingPong(ITransport transport) : ITransportHandler
{
    private static readonly byte[] s_message = new byte[300];
    private int _turns;
    private int _warmUp;
    private long _start;
    private int _missing = s_message.Length;
    private Action<long>? _done;

    internal static async Task<long> MeasureAsync(EventLoop loop, ITransport one, ITransport two, int turns)
    {
        var result = new TaskCompletionSource<long>();
        var first = new PingPong(one) { _turns = turns, _warmUp = 200, _done = result.SetResult };
        one.Start(first);
        two.Start(new PingPong(two));
        one.Write(s_message);
        var allocated = await result.Task.WaitAsync(TestLoop.Patience);
        one.Abort();
        two.Abort();
        return allocated;
    }

    public void OnReceived(ReadOnlySpan<byte> data)
    {
        _missing -= data.Length;
        if (_missing > 0)
            return;
        _missing = s_message.Length;
        if (_done is not null)
        {
            if (_warmUp > 0)
            {
                if (--_warmUp == 0)
                    _start = GC.GetAllocatedBytesForCurrentThread();
            }
            else if (--_turns == 0)
            {
                _done(GC.GetAllocatedBytesForCurrentThread() - _start);
                return;
            }
        }

        transport.Write(s_message);
    }

    public void OnDrained()
    {
    }

    public void OnClosed(TransportEnding ending, string? detail) => _done?.Invoke(long.MaxValue);
}
