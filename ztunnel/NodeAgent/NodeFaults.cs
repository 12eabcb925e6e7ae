using Mesh.Runtime.Metrics;

namespace Mesh.Ztunnel.NodeAgent;

/// <summary>What can be wrong with the capture on a node. The name is the reason of the Event, and in snake case the label of the metric.</summary>
internal enum NodeFault
{
    /// <summary>A pod asked and cannot take part.</summary>
    NotCaptured,

    /// <summary>An annotation whose name or value means nothing here.</summary>
    UnknownValue,

    NamespaceNotFound,
    CaptureFailed,

    /// <summary>Another agent on this node captures the same pods.</summary>
    SecondMesh,

    ApiServerAway,

    /// <summary>The node's clock is not that of the API server: certificates seem to have ended, or not to have begun.</summary>
    ClockSkew,

    /// <summary>The known pods cannot be kept on the node, its disk is full for instance.</summary>
    StateNotKept,

    /// <summary>New pods are not held until they are captured.</summary>
    CniNotChained,
}

/// <summary>What is wrong right now, each with its text: the metric counts it, and who learns first that it is news tells people. Any thread.</summary>
internal sealed class NodeFaults
{
    private readonly Lock _gate = new();
    private readonly Dictionary<(NodeFault Fault, string Subject), string> _current = [];

    public void Register(MetricRegistry registry) => registry.SampledGauge("ztunnel_node_faults", "What is wrong with the capture of this node's pods right now (unstable).", samples =>
    {
        foreach (var (fault, count) in Counts())
            samples.Write(count, LabelSet.Of(("fault", SnakeCase.Of(fault))));
    });

    /// <param name="subject">A pod's uid, or what else the fault is of; empty: the node.</param>
    /// <returns>Whether that is news: the fault is new, or it has another text.</returns>
    public bool Set(NodeFault fault, string subject, string text)
    {
        lock (_gate)
        {
            var before = _current.GetValueOrDefault((fault, subject));
            _current[(fault, subject)] = text;
            return before != text;
        }
    }

    /// <returns>Whether it stood.</returns>
    public bool Clear(NodeFault fault, string subject)
    {
        lock (_gate)
            return _current.Remove((fault, subject));
    }

    /// <summary>The pod is gone, and everything that was wrong with it.</summary>
    public void Forget(string subject)
    {
        lock (_gate)
        {
            foreach (var fault in Enum.GetValues<NodeFault>())
                _current.Remove((fault, subject));
        }
    }

    public IReadOnlyList<(NodeFault Fault, string Subject, string Text)> All()
    {
        lock (_gate)
            return [.. _current.Select(c => (c.Key.Fault, c.Key.Subject, c.Value))];
    }

    public int Count(NodeFault fault)
    {
        lock (_gate)
            return _current.Keys.Count(k => k.Fault == fault);
    }

    // Zeros, too: an alert needs the series before the first fault.
    private IEnumerable<(NodeFault, int)> Counts() => Enum.GetValues<NodeFault>().Select(f => (f, Count(f)));
}
