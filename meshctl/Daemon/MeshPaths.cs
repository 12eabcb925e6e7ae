namespace Mesh.Meshctl.Daemon;

/// <summary>Inside the mesh's mount namespace: a tmpfs of its own, so that keys and sockets are never on a disk and end with the mesh.</summary>
internal static class MeshPaths
{
    public const string Root = "/run/mesh";
    public const string Config = Root + "/config";
    public const string ControlPlaneState = Root + "/istiod";
    public const string Tokens = Root + "/tokens";
    public const string Agents = Root + "/zds";
    public const string Pods = Root + "/pods";
    public const string Temporary = Root + "/tmp";

    public static string RootCertificate => Path.Combine(ControlPlaneState, "root-cert.pem");

    /// <summary>Where <c>istiod-lite revoke</c> writes the list of certificates that were taken back; may not exist.</summary>
    public static string RevocationList => Path.Combine(ControlPlaneState, "ca-crl.pem");

    public static void Create()
    {
        foreach (var directory in (string[])[Config, ControlPlaneState, Tokens, Agents, Temporary])
            Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);

        // Programs that drop their privileges still read their hosts file.
        Directory.CreateDirectory(Pods);
    }
}
