using Mesh.Net.Native;

namespace Mesh.Net;

/// <summary>What this process may do and what becomes of it: limits, capabilities, fate. Meant for the start of a program, on its main thread.</summary>
public static unsafe class ProcessRights
{
    private const int LastCapability = 63;

    /// <summary>Marks the second start, so that a kernel which ignores the restriction leads to a message and not to an endless chain.</summary>
    private const string RestrictedMark = "MESH_RIGHTS_RESTRICTED";

    /// <summary>Raises the limit of open descriptors to the hard limit. A connection through the agent costs two to three.</summary>
    public static (ulong Before, ulong Now) RaiseDescriptorLimit()
    {
        var limits = stackalloc ulong[2];
        SocketFailureException.ThrowIfNegative(Libc.getrlimit(Libc.RLIMIT_NOFILE, limits), "read the limit of open descriptors", null);
        var before = limits[0];
        limits[0] = limits[1];
        return (before, Libc.setrlimit(Libc.RLIMIT_NOFILE, limits) == 0 ? limits[0] : before);
    }

    /// <summary>Sets the soft limit of open descriptors (for tests of exhaustion, and to leave room below a shared hard limit).</summary>
    public static void SetDescriptorLimit(ulong soft)
    {
        var limits = stackalloc ulong[2];
        SocketFailureException.ThrowIfNegative(Libc.getrlimit(Libc.RLIMIT_NOFILE, limits), "read the limit of open descriptors", null);
        limits[0] = Math.Min(soft, limits[1]);
        SocketFailureException.ThrowIfNegative(Libc.setrlimit(Libc.RLIMIT_NOFILE, limits), "set the limit of open descriptors", null);
    }

    /// <summary>Asks the kernel to signal this process when the thread that started it ends. False: the parent is gone already.</summary>
    /// <remarks>It is the parent's thread that counts, not its process: useful for children of a main thread or of a single-threaded parent only.</remarks>
    public static bool EndWithParent(int signal = 15)
    {
        var parent = Libc.getppid();
        SocketFailureException.ThrowIfNegative(Libc.prctl(Libc.PR_SET_PDEATHSIG, (nuint)signal, 0, 0, 0), "tie this process to its parent", null);
        return Libc.getppid() == parent && parent != 1;
    }

    /// <summary>Whether the process may be dumped to a core file and traced by its own user. Off keeps keys out of core files.</summary>
    public static void SetDumpable(bool dumpable) =>
        SocketFailureException.ThrowIfNegative(Libc.prctl(Libc.PR_SET_DUMPABLE, dumpable ? 1u : 0u, 0, 0, 0), "change whether core files are written", null);

    /// <summary>No program that this process starts can have more rights than it (set-uid bits are ignored).</summary>
    public static void ForbidNewPrivileges() =>
        SocketFailureException.ThrowIfNegative(Libc.prctl(Libc.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "forbid new privileges", null);

    /// <summary>Whether the calling thread has a capability now.</summary>
    public static bool Has(Capability capability) => (Effective() & Bit(capability)) != 0;

    /// <summary>
    /// Leaves this process with no more than <paramref name="keep"/>. Returns when that is so already; otherwise the program is started again in
    /// place (same process id) and this call does not return.
    /// </summary>
    /// <remarks>
    /// Capabilities belong to threads, and the runtime has started several before any code of ours runs; lowering them on one thread would leave the others as
    /// they are. So the bounding set is lowered and the program executed again: <c>execve</c> ends the other threads and applies the bounding set to the one that remains.
    /// Call it first thing, with nothing open and nothing running.
    /// </remarks>
    public static void RestrictTo(params ReadOnlySpan<Capability> keep)
    {
        ulong wanted = 0;
        foreach (var capability in keep)
            wanted |= Bit(capability);
        if ((Effective() & ~wanted) == 0)
        {
            Environment.SetEnvironmentVariable(RestrictedMark, null);
            return;
        }

        if (Environment.GetEnvironmentVariable(RestrictedMark) is not null)
            throw new InvalidOperationException("The capabilities of this process could not be dropped although it was started again for that.");
        for (var i = 0; i <= LastCapability; i++)
        {
            // EINVAL: beyond the last capability that the kernel knows.
            if ((wanted & (1UL << i)) == 0 && Libc.prctl(Libc.PR_CAPBSET_DROP, (nuint)i, 0, 0, 0) < 0 && Errno.Last != Errno.EINVAL)
                throw new SocketFailureException(Errno.Last, "drop capabilities", (string?)null);
        }

        var kept = Permitted() & wanted;
        SetThread(kept, inheritable: kept);

        // For users other than root: without this execve would take everything away.
        Libc.prctl(Libc.PR_CAP_AMBIENT, Libc.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
        for (var i = 0; i <= LastCapability; i++)
        {
            if ((kept & (1UL << i)) != 0)
                Libc.prctl(Libc.PR_CAP_AMBIENT, Libc.PR_CAP_AMBIENT_RAISE, (nuint)i, 0, 0);
        }

        Environment.SetEnvironmentVariable(RestrictedMark, "1");
        ReExecution.Start();
    }

    /// <summary>Puts the calling thread into new namespaces: flags of <c>unshare(2)</c>. Threads started later inherit them; others do not move.</summary>
    public static void Unshare(NamespaceKinds kinds) =>
        SocketFailureException.ThrowIfNegative(Libc.unshare((int)kinds), "create namespaces", kinds.ToString());

    private static ulong Bit(Capability capability) => 1UL << (int)capability;

    private static ulong Effective() => Read(0);

    private static ulong Permitted() => Read(1);

    /// <summary>Version 3 of the interface: two records of (effective, permitted, inheritable), 32 bits each.</summary>
    private static ulong Read(int field)
    {
        var header = stackalloc uint[2] { Libc.LINUX_CAPABILITY_VERSION_3, 0 };
        var data = stackalloc uint[6];
        SocketFailureException.ThrowIfNegative(Libc.capget(header, data), "read the capabilities of this thread", null);
        return data[field] | ((ulong)data[3 + field] << 32);
    }

    private static void SetThread(ulong rights, ulong inheritable)
    {
        var header = stackalloc uint[2] { Libc.LINUX_CAPABILITY_VERSION_3, 0 };
        var data = stackalloc uint[6]
        {
            (uint)rights, (uint)rights, (uint)inheritable, (uint)(rights >> 32), (uint)(rights >> 32), (uint)(inheritable >> 32),
        };
        SocketFailureException.ThrowIfNegative(Libc.capset(header, data), "drop capabilities", null);
    }
}

/// <summary>Namespaces of <c>unshare(2)</c>.</summary>
[Flags]
public enum NamespaceKinds
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>Mounts.</summary>
    Mount = Libc.CLONE_NEWNS,

    /// <summary>Network.</summary>
    Network = Libc.CLONE_NEWNET,
}
