namespace Mesh.Meshctl.Daemon;

/// <summary>The connections of <see cref="ZdsServer"/>.</summary>
internal sealed partial class ZdsServer
{
    public static ZdsServer Start(string node, string path, Action<string> log)
    {
        var server = new ZdsServer(node, log);
        _ = path;
        return server;
    }

    public ValueTask DisposeAsync()
    {
        _stop.Dispose();
        return ValueTask.CompletedTask;
    }
}
