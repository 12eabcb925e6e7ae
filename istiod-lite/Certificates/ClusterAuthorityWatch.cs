using Mesh.IstiodLite.Telemetry;
using Mesh.Kubernetes;
using Mesh.Kubernetes.Requests;
using Mesh.Runtime.Logging;

namespace Mesh.IstiodLite.Certificates;

/// <summary>
/// Looks at the authority's Secret again and again, in every replica: a new intermediate signs from then on, and new roots are given out. Roots that have
/// nothing in common with those that workloads trust are refused: every connection would be.
/// </summary>
internal sealed class ClusterAuthorityWatch : IAsyncDisposable
{
    private const string Part = PlaneFaults.Authority;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;

    public ClusterAuthorityWatch(KubeClient client, string ns, AuthorityMaterial current, CertificateAuthority authority, TimeSpan every, Health health, Log? log) =>
        _running = RunAsync(client, ns, current, authority, every, health, log, _stop.Token);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _stop.Dispose();
    }

    private static async Task RunAsync(KubeClient client, string ns, AuthorityMaterial current, CertificateAuthority authority, TimeSpan every, Health health, Log? log, CancellationToken cancellation)
    {
        using var timer = new PeriodicTimer(every, client.Time);
        try
        {
            while (await timer.WaitForNextTickAsync(cancellation))
            {
                try
                {
                    var next = await ClusterAuthority.FindAsync(client, ns, cancellation);
                    if (next is null)
                        health.Failing(PlaneFaults.AuthoritySecret, $"neither the Secret {ns}/{ClusterAuthority.PluggedIn} nor {ns}/{ClusterAuthority.SelfSigned} is there any more: what signs is in memory only, and the next start makes a root that nobody trusts. Put it back from your backup, or replace the root step by step by a plugged-in one that holds the old root, too");
                    else
                        health.Recovered(PlaneFaults.AuthoritySecret);
                    if (next is null || IsSame(current, next))
                    {
                        health.Recovered(Part);
                        continue;
                    }
                    if (!Roots(current).Overlaps(Roots(next)))
                    {
                        health.Failing(Part, $"the roots in the Secret of {ns} have nothing in common with those that workloads trust; the ones before stay in force. Add the new root to the old ones first");
                        continue;
                    }
                    current = next;
                    authority.Replace(next);
                    health.Recovered(Part);
                    log?.Info($"the certificate authority is another one, valid until {authority.NotAfter:u}");
                }
                catch (StateException e)
                {
                    health.Failing(Part, $"{e.Message}; the authority before stays in force");
                }
                catch (KubeException e)
                {
                    // Whether the authority is another one is not known; that the API server is away is told by who watches it.
                    log?.Debug($"the authority cannot be looked at: {e.Message}");
                }
                finally
                {
                    Look(current, health, client.Time.GetUtcNow());
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Stopped.
        }
    }

    private static void Look(AuthorityMaterial current, Health health, DateTimeOffset now)
    {
        if (current.Ending(now) is { } ending)
            health.Failing(PlaneFaults.AuthorityEnd, $"{ending}. Plug in the next one (Secret {ClusterAuthority.PluggedIn}) whose root-cert.pem holds the old root, too");
        else
            health.Recovered(PlaneFaults.AuthorityEnd);
    }

    private static bool IsSame(AuthorityMaterial a, AuthorityMaterial b) =>
        a.Signer.Thumbprint == b.Signer.Thumbprint && a.RootsPem == b.RootsPem && a.IntermediatesPem.SequenceEqual(b.IntermediatesPem, StringComparer.Ordinal);

    private static HashSet<string> Roots(AuthorityMaterial material) => [.. AuthorityMaterial.Certificates(material.RootsPem).Select(c => c.Thumbprint)];
}
