using Mesh.Model.Collections;

namespace Mesh.Model.Policy;

/// <summary>
/// Conditions on one connection. Each list that is not empty must hold: of a positive list one value, of a negative list none.
/// </summary>
public sealed record PolicyMatch
{
    public ValueList<StringMatch> Namespaces { get; init; }

    public ValueList<StringMatch> NotNamespaces { get; init; }

    /// <summary>Against the identity without <c>spiffe://</c>.</summary>
    public ValueList<StringMatch> Principals { get; init; }

    public ValueList<StringMatch> NotPrincipals { get; init; }

    public ValueList<ServiceAccountMatch> ServiceAccounts { get; init; }

    public ValueList<ServiceAccountMatch> NotServiceAccounts { get; init; }

    public ValueList<IpPrefix> SourceIps { get; init; }

    public ValueList<IpPrefix> NotSourceIps { get; init; }

    public ValueList<IpPrefix> DestinationIps { get; init; }

    public ValueList<IpPrefix> NotDestinationIps { get; init; }

    public ValueList<ushort> DestinationPorts { get; init; }

    public ValueList<ushort> NotDestinationPorts { get; init; }

    public bool IsEmpty =>
        Namespaces.IsEmpty && NotNamespaces.IsEmpty && Principals.IsEmpty && NotPrincipals.IsEmpty && ServiceAccounts.IsEmpty && NotServiceAccounts.IsEmpty
        && SourceIps.IsEmpty && NotSourceIps.IsEmpty && DestinationIps.IsEmpty && NotDestinationIps.IsEmpty && DestinationPorts.IsEmpty && NotDestinationPorts.IsEmpty;
}
