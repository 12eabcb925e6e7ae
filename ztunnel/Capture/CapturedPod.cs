using System.Security.Cryptography.X509Certificates;
using Mesh.Net;
using Mesh.Runtime.Decisions;
using Mesh.Ztunnel.Pods;

namespace Mesh.Ztunnel.Capture;

/// <summary>A pod whose rules are ours: they come after its listeners and go before them, or its traffic would lead nowhere.</summary>
internal sealed class CapturedPod : IPodProxy
{
    private readonly IPodProxy _proxy;
    private readonly NetworkNamespace _network;
    private readonly CaptureInstaller _capture;
    private readonly string _before;
    private string? _written;

    private CapturedPod(IPodProxy proxy, NetworkNamespace network, CaptureInstaller capture, string before) => (_proxy, _network, _capture, _before) = (proxy, network, capture, before);

    /// <summary>Takes over the proxy; when the rules cannot be written it is stopped again.</summary>
    /// <param name="mayHoldRules">What an agent before this one left is looked at first, so that what was wrong with it can be told.</param>
    public static async Task<CapturedPod> CaptureAsync(IPodProxy proxy, NetworkNamespace network, CaptureInstaller capture, bool mayHoldRules = false)
    {
        try
        {
            var before = mayHoldRules ? await capture.ReadAsync(network) : string.Empty;
            await capture.InstallAsync(network);
            return new CapturedPod(proxy, network, capture, before);
        }
        catch
        {
            await proxy.StopAsync();
            throw;
        }
    }

    public async Task<bool> RepairAsync()
    {
        if (_written is { } written && await _capture.ReadAsync(_network) == written)
            return false;
        var isFirst = _written is null;
        await _capture.InstallAsync(_network);
        // Once, and not when the pod joined: looking for what nearly never is there takes a pod longer to start.
        if (isFirst && await _capture.RemoveOtherKindAsync(_network))
            isFirst = false;
        // Read only now and not when the pod joined: a pod waits for its rules, not for our notes about them.
        _written = await _capture.ReadAsync(_network);
        return !isFirst || (_before.Trim().Length > 0 && _before != _written);
    }

    public async Task StopAsync()
    {
        try
        {
            await _capture.RemoveAsync(_network);
        }
        catch (CaptureException)
        {
            // The pod is being deleted, and its namespace may be half gone: the rules go with it.
        }
        await _proxy.StopAsync();
    }

    // The rules stay: the successor of this process captures the pod without a gap.
    public Task DrainAsync(CancellationToken forced) => _proxy.DrainAsync(forced);

    public Task RevokeAsync(Func<IReadOnlyList<X509Certificate2>, bool> isRevoked) => _proxy.RevokeAsync(isRevoked);

    public Task<PodConnections> ListConnectionsAsync() => _proxy.ListConnectionsAsync();

    public Task<IReadOnlyList<IDecision>> FindOpenAsync(DecisionQuery query) => _proxy.FindOpenAsync(query);
}
