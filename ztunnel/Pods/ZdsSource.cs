using Mesh.Net;
using Mesh.Runtime.Logging;

namespace Mesh.Ztunnel.Pods;

/// <summary>The node agent as source of pods: istio-cni's protocol, one datagram a message, each answered by exactly one acknowledgement.</summary>
/// <remarks>Runs on the control loop. Ends only by <see cref="StopAsync"/> or when the agent breaks the protocol, which ends the process.</remarks>
internal sealed class ZdsSource(EventLoop loop, string path, PodManager pods, LogSink sink) : IPodSource
{
    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(15);

    private readonly Log _log = sink.For("inpod");
    private readonly byte[] _buffer = new byte[ZdsRequest.MaxDatagram];
    private UnixSeqpacketSocket? _socket;
    private bool _stopping;

    private enum Outcome
    {
        Reconnect,
        Violation,
    }

    /// <returns>Why the protocol was broken; null after <see cref="Stop"/>.</returns>
    public async Task<string?> RunAsync()
    {
        var delay = FirstDelay;
        while (!_stopping)
        {
            if (await ConnectAsync() is not { } socket)
            {
                await WaitAsync();
                continue;
            }
            bool wasUseful;
            using (_socket = socket)
            {
                _log.Info("handling new stream");
                await pods.BeginSnapshotAsync();
                (var outcome, var reason, wasUseful) = await ServeAsync(socket);
                if (outcome == Outcome.Violation)
                    return reason;
                if (!_stopping)
                    pods.SourceLost();
            }
            if (wasUseful || _stopping)
            {
                delay = FirstDelay;
                continue;
            }
            // An agent that hangs up before its first word must not be called again in a tight loop.
            await WaitAsync();
        }
        return null;

        async Task WaitAsync()
        {
            await Task.Delay(delay, loop.Time);
            delay = delay * 2 < LongestDelay ? delay * 2 : LongestDelay;
        }
    }

    public void Stop()
    {
        _stopping = true;
        _socket?.Dispose();
    }

    private async Task<UnixSeqpacketSocket?> ConnectAsync()
    {
        UnixSeqpacketSocket? socket = null;
        try
        {
            socket = UnixSeqpacketSocket.Connect(loop, path);
            if (await socket.SendAsync(ZdsRequest.Hello()))
                return socket;
            _log.Warn($"the node agent at {path} did not take the greeting: {socket.LastErrorText}");
        }
        catch (SocketFailureException failure)
        {
            _log.Debug($"the node agent is not there yet: {failure.Message}");
        }
        socket?.Dispose();
        return null;
    }

    /// <returns>How it ended, why, and whether at least one message could be used.</returns>
    private async Task<(Outcome Outcome, string? Reason, bool WasUseful)> ServeAsync(UnixSeqpacketSocket socket)
    {
        var wasUseful = false;
        while (true)
        {
            var message = await socket.ReceiveAsync(_buffer);
            if (message.Status != IoStatus.Done)
            {
                _log.Info($"process stream ended with {(message.Status == IoStatus.EndOfStream ? "eof" : socket.LastErrorText)}");
                return (Outcome.Reconnect, null, wasUseful);
            }
            var request = ZdsRequest.Decode(_buffer.AsSpan(0, message.Count), message.IsTruncated, message.Descriptors.Count);
            if (request is not ZdsRequest.Add)
                message.CloseDescriptors();
            switch (await HandleAsync(request, message))
            {
                case null when request is ZdsRequest.Empty:
                    _log.Error("the node agent sent a request without payload");
                    return (Outcome.Reconnect, null, wasUseful);
                case { IsViolation: true } violation:
                    await socket.SendAsync(ZdsRequest.Acknowledge(violation.Error));
                    return (Outcome.Violation, violation.Error, wasUseful);
                case var answer:
                    if (!await socket.SendAsync(ZdsRequest.Acknowledge(answer?.Error)))
                        return (Outcome.Reconnect, null, wasUseful);
                    if (answer is { IsFatal: true })
                    {
                        _log.Error($"the node agent's message cannot be used: {answer.Error}");
                        return (Outcome.Reconnect, null, wasUseful);
                    }
                    wasUseful = true;
                    break;
            }
        }
    }

    private sealed record Answer(string? Error, bool IsFatal, bool IsViolation);

    private async Task<Answer?> HandleAsync(ZdsRequest request, SeqpacketMessage message)
    {
        switch (request)
        {
            case ZdsRequest.Add add:
                PodNetwork network;
                try
                {
                    network = PodNetwork.Of(NetworkNamespace.FromDescriptor(message.Descriptors[0]));
                }
                catch (SocketFailureException failure)
                {
                    message.CloseDescriptors();
                    return new Answer(failure.Message, true, false);
                }
                _log.Event(LogSeverity.Info, "pod received, starting proxy").Text("uid", add.Uid).Text("name", add.Info.Name).Text("namespace", add.Info.Namespace).Write();
                var error = await pods.AddAsync(add.Uid, add.Info, network);
                return new Answer(error is null ? null : $"failure to start proxy : {error}", false, false);
            case ZdsRequest.Keep keep:
                return await pods.KeepAsync(keep.Uid) ? Ok : new Answer($"keep of {keep.Uid} after the snapshot", true, true);
            case ZdsRequest.Delete delete:
                _log.Event(LogSeverity.Info, "pod delete request, shutting down proxy").Text("uid", delete.Uid).Write();
                await pods.DeleteAsync(delete.Uid);
                return Ok;
            case ZdsRequest.SnapshotSent:
                _log.Info("received snapshot sent");
                return await pods.CompleteSnapshotAsync() ? Ok : new Answer("a second snapshot on one connection", true, true);
            case ZdsRequest.Violation violation:
                message.CloseDescriptors();
                return new Answer(violation.Reason, true, true);
            case ZdsRequest.Unreadable unreadable:
                return new Answer(unreadable.Reason, true, false);
            default:
                return null;
        }
    }

    private static readonly Answer Ok = new(null, false, false);
}
