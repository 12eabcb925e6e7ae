using System.Security.Cryptography;

namespace Mesh.Net.Tests;

/// <summary>A transport's owner that counts, hashes and lets a test wait.</summary>
internal sealed class RecordingHandler(ITransport? echoTo = null) : ITransportHandler
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly TaskCompletionSource<(TransportEnding Ending, string? Detail)> _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly MemoryStream _bytes = new();
    private (long Count, TaskCompletionSource Done)? _awaited;

    internal long Received { get; private set; }

    internal int Drained { get; private set; }

    internal bool Keep { get; init; }

    internal Action<int>? OnBytes { get; set; }

    internal Action? OnDrain { get; set; }

    internal Task<(TransportEnding Ending, string? Detail)> Closed => _closed.Task.WaitAsync(TestLoop.Patience);

    internal bool IsClosed => _closed.Task.IsCompleted;

    internal byte[] Bytes => _bytes.ToArray();

    internal string Hash() => Convert.ToHexString(_hash.GetCurrentHash());

    /// <summary>Completes when so many bytes have come in all. Call on the loop.</summary>
    internal Task ReceivedAsync(long count)
    {
        if (Received >= count)
            return Task.CompletedTask;
        _awaited = (count, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        return _awaited.Value.Done.Task.WaitAsync(TestLoop.Patience);
    }

    public void OnReceived(ReadOnlySpan<byte> data)
    {
        Received += data.Length;
        if (Keep)
            _bytes.Write(data);
        else
            _hash.AppendData(data);
        echoTo?.Write(data.ToArray());
        OnBytes?.Invoke(data.Length);
        if (_awaited is { } awaited && Received >= awaited.Count)
            awaited.Done.TrySetResult();
    }

    public void OnDrained()
    {
        Drained++;
        OnDrain?.Invoke();
    }

    public void OnClosed(TransportEnding ending, string? detail) => Assert.True(_closed.TrySetResult((ending, detail)), "closed twice");
}
