using Envoy.Service.Discovery.V3;

namespace Mesh.Xds.Client;

/// <summary>Takes the resources of one type. Called by one thread at a time, in the order in which responses arrived.</summary>
public interface IXdsResourceHandler
{
    /// <summary>Chosen by the response's type URL; that of the packed resources is not looked at.</summary>
    string TypeUrl { get; }

    /// <summary>
    /// Applies what is good and lists what is not. Updates come before removals. Rejected resources are not remembered, so the
    /// server sends them again after a reconnect.
    /// </summary>
    XdsApplyResult Apply(DeltaDiscoveryResponse response);
}

/// <summary>One resource that could not be applied.</summary>
public readonly record struct XdsRejection(string Name, string Reason)
{
    public override string ToString() => $"{Name}: {Reason}";
}

/// <summary>What became of a response.</summary>
public sealed class XdsApplyResult
{
    public static readonly XdsApplyResult Accepted = new([]);

    public XdsApplyResult(IReadOnlyList<XdsRejection> rejections) => Rejections = rejections;

    public IReadOnlyList<XdsRejection> Rejections { get; }

    /// <summary>The text of the NACK: <c>name: reason; name: reason</c>.</summary>
    public string ErrorText => string.Join("; ", Rejections);

    /// <summary>Nothing of the response was applied; for types whose resources only make sense together.</summary>
    public static XdsApplyResult RejectAll(DeltaDiscoveryResponse response, string reason) => new(
        response.Resources.Count > 0 ? [.. response.Resources.Select(r => new XdsRejection(r.Name, reason))] : [new XdsRejection(response.TypeUrl, reason)]);
}
