using Mesh.Http2;

namespace Mesh.Hbone.Tests;

/// <summary>Sends back what comes, under back-pressure, and ends when the peer has ended.</summary>
internal sealed class EchoHandler : ITunnelHandler
{
    private readonly Tunnel _tunnel;
    private readonly Queue<byte[]> _pending = [];
    private bool _ended;

    private EchoHandler(Tunnel tunnel) => _tunnel = tunnel;

    public static void Start(Tunnel tunnel) => tunnel.Attach(new EchoHandler(tunnel));

    public void OnData(ReadOnlySpan<byte> data)
    {
        _pending.Enqueue(data.ToArray());
        OnWritable();
    }

    public void OnEndOfData()
    {
        _ended = true;
        OnWritable();
    }

    public void OnWritable()
    {
        while (_pending.TryPeek(out var next))
        {
            var taken = _tunnel.Write(next);
            _tunnel.Consume(taken);
            _pending.Dequeue();
            if (taken < next.Length)
            {
                var rest = _pending.ToArray();
                _pending.Clear();
                _pending.Enqueue(next[taken..]);
                foreach (var r in rest)
                    _pending.Enqueue(r);
                return;
            }
        }

        if (_ended)
            _tunnel.EndWrite();
    }

    public void OnReset(Http2ErrorCode? code, bool byPeer)
    {
    }
}

/// <summary>Keeps what a tunnel says, for assertions from the test's thread.</summary>
internal sealed class Recorder : ITunnelHandler
{
    private readonly MemoryStream _data = new();
    private readonly TaskCompletionSource<byte[]> _end = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<(Http2ErrorCode? Code, bool ByPeer)> _reset = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource _more = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Recorder(Tunnel tunnel)
    {
        Tunnel = tunnel;
        tunnel.Attach(this);
    }

    public Tunnel Tunnel { get; }

    public Task<byte[]> AllData => _end.Task.WaitAsync(TimeSpan.FromSeconds(30));

    public Task<(Http2ErrorCode? Code, bool ByPeer)> Reset => _reset.Task.WaitAsync(TimeSpan.FromSeconds(30));

    public async Task<byte[]> ReceivedAsync(int count)
    {
        while (true)
        {
            Task more;
            lock (_data)
            {
                if (_data.Length >= count)
                    return _data.ToArray();
                more = _more.Task;
            }

            await more.WaitAsync(TimeSpan.FromSeconds(30));
        }
    }

    public void OnData(ReadOnlySpan<byte> data)
    {
        lock (_data)
        {
            _data.Write(data);
            _more.TrySetResult();
            _more = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        Tunnel.Consume(data.Length);
    }

    public void OnEndOfData() => _end.TrySetResult(_data.ToArray());

    public void OnWritable()
    {
    }

    public void OnReset(Http2ErrorCode? code, bool byPeer) => _reset.TrySetResult((code, byPeer));
}
