using System.Net.Sockets;
using Mesh.Hbone;
using Mesh.Http2;
using Mesh.Model;
using Mesh.Net;
using Mesh.Ztunnel.Forwarding;

namespace Mesh.Ztunnel.Tests.Forwarding;

/// <summary>A pump between an application's socket and the accepted end of a tunnel; the test holds both outer ends.</summary>
internal sealed class PumpRig : IAsyncDisposable, ITransferMeter, ITransferOwner
{
    private readonly TunnelPair _pair;
    private readonly TaskCompletionSource<TransferResult> _result = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private PumpRig(TunnelPair pair, LoopSocket proxy, Socket application)
    {
        _pair = pair;
        Proxy = proxy;
        Application = application;
    }

    public TunnelPair Pair => _pair;

    public EventLoop Loop => _pair.Loop;

    public LoopSocket Proxy { get; }

    /// <summary>The application's own end.</summary>
    public Socket Application { get; }

    public TunnelRecorder Peer { get; private set; } = null!;

    public DuplexPump Pump { get; private set; } = null!;

    public Task<TransferResult> Result => _result.Task;

    public long ForwardedBytes { get; private set; }

    public long ReturnedBytes { get; private set; }

    public static async Task<PumpRig> StartAsync(TimeSpan? halfCloseDeadline = null, Ending? cutFirst = null)
    {
        var pair = await TunnelPair.OpenAsync();
        var (proxy, application) = await TunnelPair.ApplicationAsync(pair.Loop);
        var rig = new PumpRig(pair, proxy, application);
        await pair.Loop.InvokeAsync(() =>
        {
            rig.Peer = new TunnelRecorder(pair.Client);
            pair.Client.Attach(rig.Peer);
            rig.Pump = new DuplexPump(proxy, pair.Server, socketIsClient: false, rig, halfCloseDeadline ?? TimeSpan.Zero);
            if (cutFirst is { } ending)
                rig.Pump.Cut(ending);
            rig.Pump.Start(rig);
            return true;
        });
        return rig;
    }

    public void Ended(TransferResult result) => _result.SetResult(result);

    public Task OnLoop(Action action) => Loop.InvokeAsync(() =>
    {
        action();
        return true;
    });

    public void Forwarded(long bytes) => ForwardedBytes += bytes;

    public void Returned(long bytes) => ReturnedBytes += bytes;

    public async ValueTask DisposeAsync()
    {
        Application.Dispose();
        await OnLoop(Proxy.Dispose);
        await _pair.DisposeAsync();
    }
}

/// <summary>The peer of the pump: keeps what arrives and how it ended, sends what it is given as credit allows.</summary>
internal sealed class TunnelRecorder(Tunnel tunnel) : ITunnelHandler
{
    private readonly MemoryStream _received = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<Http2ErrorCode?> _reset = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<(int Bytes, TaskCompletionSource Signal)> _waiters = [];
    private ReadOnlyMemory<byte> _toSend;
    private bool _endAfterSend;

    public Task Ended => _ended.Task;

    public Task<Http2ErrorCode?> WasReset => _reset.Task;

    /// <summary>Bytes the tunnel has taken of what was to be sent.</summary>
    public int Sent { get; private set; }

    public byte[] Received => _received.ToArray();

    /// <summary>On the loop.</summary>
    public void Send(ReadOnlyMemory<byte> data, bool end)
    {
        (_toSend, _endAfterSend) = (data, end);
        OnWritable();
    }

    /// <summary>Completes when so many bytes have arrived. On the loop.</summary>
    public Task WhenReceived(int bytes)
    {
        var signal = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        if (_received.Length >= bytes)
            signal.SetResult();
        else
            _waiters.Add((bytes, signal));
        return signal.Task;
    }

    public void OnData(ReadOnlySpan<byte> data)
    {
        _received.Write(data);
        tunnel.Consume(data.Length);
        foreach (var (_, signal) in _waiters.Where(w => w.Bytes <= _received.Length))
            signal.TrySetResult();
    }

    public void OnEndOfData() => _ended.TrySetResult();

    public void OnWritable()
    {
        if (_toSend.IsEmpty && !_endAfterSend)
            return;
        var taken = tunnel.Write(_toSend.Span);
        Sent += taken;
        _toSend = _toSend[taken..];
        if (!_toSend.IsEmpty || !_endAfterSend)
            return;
        _endAfterSend = false;
        tunnel.EndWrite();
    }

    public void OnReset(Http2ErrorCode? code, bool byPeer) => _reset.TrySetResult(code);
}
