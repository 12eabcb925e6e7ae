using System.Net;

namespace Mesh.Waypoint.Routing;

/// <summary>Address and port that the CONNECT named: the one thing that chooses a service (never Host; reference 9.1).</summary>
internal readonly record struct OriginalDestination(IPAddress Address, int Port)
{
    public override string ToString() => new IPEndPoint(Address, Port).ToString();
}

/// <summary>Everything the waypoint serves, compiled and immutable; replaced as a whole.</summary>
internal sealed class RouteTable
{
    public static readonly RouteTable Empty = new([], 0);

    private readonly Dictionary<IPAddress, Destination> _byAddress = [];

    public RouteTable(IEnumerable<Destination> destinations, long version)
    {
        Version = version;
        foreach (var destination in destinations)
        {
            foreach (var address in destination.Addresses)
            {
                // A service wins over a workload of the same address.
                if (!_byAddress.TryGetValue(address, out var there) || there.IsWorkload)
                    _byAddress[address] = destination;
            }
        }
    }

    public long Version { get; }

    public IEnumerable<Destination> Destinations => _byAddress.Values.Distinct();

    public (Destination Destination, PortRoutes Port)? Find(OriginalDestination original)
    {
        if (!_byAddress.TryGetValue(original.Address, out var destination))
            return null;
        return destination.Port(original.Port) is { } port ? (destination, port) : null;
    }
}
