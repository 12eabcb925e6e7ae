namespace Mesh.Ztunnel.Forwarding;

/// <summary>How many bytes may wait for slow readers on this node, shared fairly: while there is room anybody may use it; when there is none, only who has had less than its share.</summary>
/// <remarks>Any thread: counters only. A limit of 0 means none.</remarks>
internal sealed class ByteBudget(long limit)
{
    private long _used;
    private int _pods;

    public long Used => Interlocked.Read(ref _used);

    public long Limit => limit;

    public PodBudget Join()
    {
        Interlocked.Increment(ref _pods);
        return new PodBudget(this);
    }

    /// <summary>What one pod may use while the node is full.</summary>
    private long Share => limit / Math.Max(1, Volatile.Read(ref _pods));

    /// <summary>One pod's part of it.</summary>
    internal sealed class PodBudget(ByteBudget node)
    {
        private long _used;

        public bool TryTake(int bytes)
        {
            var pod = Interlocked.Add(ref _used, bytes);
            var total = Interlocked.Add(ref node._used, bytes);
            if (node.Limit == 0 || total <= node.Limit || pod <= node.Share)
                return true;
            Give(bytes);
            return false;
        }

        public void Give(int bytes)
        {
            Interlocked.Add(ref _used, -bytes);
            Interlocked.Add(ref node._used, -bytes);
        }

        /// <summary>The pod is gone: its share is for the others.</summary>
        public void Leave() => Interlocked.Decrement(ref node._pods);
    }
}
