using Envoy.Service.Discovery.V3;

namespace Mesh.Xds.Client;

/// <summary>What is retained of one type across streams: versions by name, and demanded names. All members under the client's gate.</summary>
internal sealed class XdsTypeState(XdsSubscription subscription)
{
    private readonly Dictionary<string, string> _versions = new(StringComparer.Ordinal);
    private readonly Dictionary<string, TaskCompletionSource> _demands = new(StringComparer.Ordinal);

    public IXdsResourceHandler Handler => subscription.Handler;

    public string TypeUrl => subscription.Handler.TypeUrl;

    public bool GatesFirstSync => subscription.Mode == XdsSubscriptionMode.Wildcard;

    public int Retained => _versions.Count;

    /// <summary>The first request of a stream: the only one with node and initial versions.</summary>
    public DeltaDiscoveryRequest FirstRequest(Node node)
    {
        var request = new DeltaDiscoveryRequest { Node = node, TypeUrl = TypeUrl };
        if (subscription.Mode == XdsSubscriptionMode.OnDemand)
        {
            // "Subscribe to nothing": without this an empty list would mean everything.
            request.ResourceNamesSubscribe.Add("*");
            request.ResourceNamesUnsubscribe.Add("*");
        }

        foreach (var (name, version) in _versions)
            request.InitialResourceVersions.Add(name, version);
        foreach (var name in _demands.Keys)
            request.InitialResourceVersions.TryAdd(name, string.Empty);
        return request;
    }

    /// <summary>The wait for a demanded name, and whether the server must still be told.</summary>
    public Task Demand(string name, out bool isNew)
    {
        isNew = false;
        if (_versions.ContainsKey(name))
            return Task.CompletedTask;
        if (!_demands.TryGetValue(name, out var demand))
        {
            isNew = true;
            demand = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _demands.Add(name, demand);
        }

        return demand.Task;
    }

    /// <summary>Remembers what was applied, forgets what was removed, releases who waited for it. A refused resource also answers its demand.</summary>
    public void Applied(DeltaDiscoveryResponse response, XdsApplyResult result)
    {
        var rejected = result.Rejections.Count == 0 ? null : result.Rejections.Select(r => r.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var resource in response.Resources)
        {
            if (rejected?.Contains(resource.Name) != true)
                _versions[resource.Name] = resource.Version;
            Answer(resource.Name);
            foreach (var alias in resource.Aliases)
                Answer(alias);
        }

        foreach (var name in response.RemovedResources)
        {
            _versions.Remove(name);
            Answer(name);
        }
    }

    private void Answer(string name)
    {
        if (_demands.TryGetValue(name, out var demand))
            demand.TrySetResult();
    }
}
