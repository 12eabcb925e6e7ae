using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Mesh.Runtime.Admin;

/// <summary>One named set of pages and the addresses it is served on.</summary>
public sealed class AdminPort
{
    private readonly List<ListenOptions> _listeners = [];

    internal AdminPort(string name, IReadOnlyList<IPEndPoint> requested, AdminRoutes routes)
    {
        Name = name;
        Requested = requested;
        Routes = routes;
    }

    public string Name { get; }

    /// <summary>The addresses that were asked for; port 0 lets the system choose.</summary>
    public IReadOnlyList<IPEndPoint> Requested { get; }

    /// <summary>The addresses in use; complete after the start.</summary>
    public IReadOnlyList<IPEndPoint> EndPoints => [.. _listeners.Select(l => l.IPEndPoint!)];

    internal AdminRoutes Routes { get; }

    internal void Add(ListenOptions listener) => _listeners.Add(listener);
}
