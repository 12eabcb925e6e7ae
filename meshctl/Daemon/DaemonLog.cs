using System.Globalization;

namespace Mesh.Meshctl.Daemon;

/// <summary>The daemon's log: lines on standard output, which <c>meshctl up</c> pointed at the file.</summary>
internal sealed class DaemonLog(TimeProvider time)
{
    public void Write(string text) =>
        Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{time.GetUtcNow():yyyy-MM-ddTHH:mm:ss.fffZ} {text}"));
}
