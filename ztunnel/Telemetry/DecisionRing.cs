using Mesh.Model;

namespace Mesh.Ztunnel.Telemetry;

/// <summary>The last decisions of this node: a fixed number, written by every loop without a lock, read by <c>GET /decisions</c>.</summary>
/// <remarks>A reader may see a slot that was just replaced; it never sees half a record, because a record is immutable once it is in.</remarks>
internal sealed class DecisionRing(int capacity, TimeProvider time)
{
    private readonly DecisionRecord?[] _slots = new DecisionRecord?[capacity];
    private long _next;

    public void Add(ConnectionReport report, ConnectionContext? context, Ending ending, string? error)
    {
        var number = Interlocked.Increment(ref _next) - 1;
        var record = new DecisionRecord(
            number, time.GetUtcNow(), report.IsOutbound, report.Source, report.Destination, context, ending, error, report.Steps,
            report.BytesForwarded, report.BytesReturned, report.Times, report.TraceId);
        Volatile.Write(ref _slots[number % capacity], record);
    }

    /// <summary>Newest first.</summary>
    public IEnumerable<DecisionRecord> Newest()
    {
        var next = Interlocked.Read(ref _next);
        for (var number = next - 1; number >= 0 && number > next - 1 - capacity; number--)
        {
            if (Volatile.Read(ref _slots[number % capacity]) is { } record)
                yield return record;
        }
    }
}
