using Mesh.SideBySide.Rig;

namespace Mesh.SideBySide.Growth;

/// <summary>Configuration has arrived when nobody works on it any more: the peer's processes use no processor time for a while.</summary>
internal static class Quiet
{
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan s_idle = TimeSpan.FromMilliseconds(30); // three clock ticks of 10 ms: timers and metrics
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(60);

    public static async Task UntilAsync(Peer peer)
    {
        var quiet = 0;
        for (var waited = TimeSpan.Zero; waited < s_deadline && quiet < 3; waited += s_look)
        {
            var before = peer.Cpu();
            await Task.Delay(s_look);
            quiet = peer.Cpu() - before <= s_idle ? quiet + 1 : 0;
        }
    }
}
