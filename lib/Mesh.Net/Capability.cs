namespace Mesh.Net;

/// <summary>Capabilities of linux/capability.h that a part of the mesh needs or that are worth naming in a message.</summary>
public enum Capability
{
    /// <summary>Ignore file permissions.</summary>
    DacOverride = 1,

    /// <summary>Signal any process.</summary>
    Kill = 5,

    /// <summary>Listen on ports below 1024.</summary>
    NetBindService = 10,

    /// <summary>Marks, transparent sockets, capture rules.</summary>
    NetAdmin = 12,

    /// <summary>Transparent sockets, raw sockets.</summary>
    NetRaw = 13,

    /// <summary>Look into other processes.</summary>
    SysPtrace = 19,

    /// <summary>Enter and make network namespaces.</summary>
    SysAdmin = 21,

    /// <summary>Exceed resource limits.</summary>
    SysResource = 24,
}
