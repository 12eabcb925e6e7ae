namespace Mesh.Xds.Client;

/// <summary>What is asked for of one type.</summary>
public enum XdsSubscriptionMode
{
    /// <summary>Everything.</summary>
    Wildcard,

    /// <summary>Nothing but what <see cref="DeltaXdsClient.DemandAsync"/> asks for; does not hold up the first sync.</summary>
    OnDemand,
}

/// <summary>One type and who takes its resources. The order of subscriptions is the order of the first requests.</summary>
public sealed record XdsSubscription(IXdsResourceHandler Handler, XdsSubscriptionMode Mode = XdsSubscriptionMode.Wildcard);
