using System.Collections;
using System.Diagnostics.CodeAnalysis;

namespace Mesh.Model.Workloads;

/// <summary>One port of a service. A target of 0 is a named port: each endpoint says itself which number that is.</summary>
public readonly record struct ServicePort(ushort Port, ushort TargetPort, AppProtocol AppProtocol = AppProtocol.Unknown);

/// <summary>Service port to target port, ordered by service port. Of a port that is given twice the last one counts.</summary>
[SuppressMessage("Naming", "CA1710:Identifiers should have correct suffix", Justification = "A map of ports; its items are read as a list.")]
public sealed class PortMap : IReadOnlyList<ServicePort>, IEquatable<PortMap>
{
    private readonly ServicePort[] _ports;

    private PortMap(ServicePort[] ports) => _ports = ports;

    public static PortMap Empty { get; } = new([]);

    public int Count => _ports.Length;

    public ServicePort this[int index] => _ports[index];

    public static PortMap Create(params IEnumerable<ServicePort> ports)
    {
        var sorted = new SortedDictionary<ushort, ServicePort>();
        foreach (var port in ports)
            sorted[port.Port] = port;
        return sorted.Count == 0 ? Empty : new([.. sorted.Values]);
    }

    public static PortMap Of(params ReadOnlySpan<(int Port, int Target)> ports)
    {
        var list = new List<ServicePort>(ports.Length);
        foreach (var (port, target) in ports)
            list.Add(new(checked((ushort)port), checked((ushort)target)));
        return Create(list);
    }

    public bool TryGetTarget(ushort servicePort, out ushort targetPort)
    {
        // Services have a handful of ports; a straight scan beats any index.
        foreach (ref readonly var port in _ports.AsSpan())
        {
            if (port.Port == servicePort)
            {
                targetPort = port.TargetPort;
                return true;
            }
        }

        targetPort = 0;
        return false;
    }

    public bool Equals(PortMap? other) => other is not null && _ports.AsSpan().SequenceEqual(other._ports);

    public override bool Equals(object? obj) => Equals(obj as PortMap);

    public override int GetHashCode()
    {
        var hash = new HashCode();
        foreach (var port in _ports)
            hash.Add(port);
        return hash.ToHashCode();
    }

    public IEnumerator<ServicePort> GetEnumerator() => ((IEnumerable<ServicePort>)_ports).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => _ports.GetEnumerator();

    public override string ToString() => $"{{{string.Join(", ", _ports.Select(p => $"{p.Port}:{p.TargetPort}"))}}}";
}
