using System.Diagnostics;
using System.Runtime.InteropServices;
using Mesh.Net.Native;
using Microsoft.Win32.SafeHandles;

namespace Mesh.Net;

/// <summary>A network namespace, held open: sockets made inside stay there for life, whoever drives them.</summary>
/// <remarks>
/// A handle may be used from any thread. Entering changes the calling OS thread only, so that is done on a thread of its own or around one
/// <c>socket()</c> call.
/// </remarks>
public sealed class NetworkNamespace : IDisposable
{
    private readonly SafeHandle _handle;

    private NetworkNamespace(SafeHandle handle)
    {
        _handle = handle;
        Id = Identify((int)handle.DangerousGetHandle());
    }

    /// <summary>Device and inode: equal exactly for the same namespace.</summary>
    public (ulong Device, ulong Inode) Id { get; }

    /// <summary>The descriptor, valid until <see cref="Dispose"/>.</summary>
    public int Descriptor => _handle.IsClosed ? throw new ObjectDisposedException(nameof(NetworkNamespace)) : (int)_handle.DangerousGetHandle();

    /// <summary>Opens a namespace by path: <c>/run/netns/x</c> or <c>/proc/PID/ns/net</c>.</summary>
    public static NetworkNamespace Open(string path)
    {
        var fd = Libc.open(path, Libc.O_RDONLY | Libc.O_CLOEXEC);
        SocketFailureException.ThrowIfNegative(fd, "open the network namespace", path);
        return FromDescriptor(new SafeFileHandle(fd, ownsHandle: true));
    }

    /// <summary>Takes over a descriptor that somebody passed (SCM_RIGHTS).</summary>
    public static NetworkNamespace FromDescriptor(SafeHandle handle)
    {
        ArgumentNullException.ThrowIfNull(handle);
        try
        {
            return new NetworkNamespace(handle);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>The namespace of the calling thread.</summary>
    public static NetworkNamespace Current() => Open("/proc/thread-self/ns/net");

    /// <summary>A new, empty namespace without a name (its loopback interface is down). Lives while it is held open or inhabited.</summary>
    public static NetworkNamespace CreateUnnamed() => OnThread(static () =>
    {
        SocketFailureException.ThrowIfNegative(Libc.unshare(Libc.CLONE_NEWNET), "create a network namespace", null);
        return Current();
    });

    /// <summary>Runs a function inside, on a thread made for it. Exceptions come back to the caller.</summary>
    public T Run<T>(Func<T> function)
    {
        ArgumentNullException.ThrowIfNull(function);
        return OnThread(() =>
        {
            Enter();
            return function();
        });
    }

    /// <summary>Runs an action inside, on a thread made for it.</summary>
    public void Run(Action action) => Run(() =>
    {
        action();
        return true;
    });

    /// <summary>Starts a process inside: a child gets the namespace of the thread that forks it.</summary>
    public Process StartProcess(ProcessStartInfo start) =>
        Run(() => Process.Start(start)) ?? throw new InvalidOperationException($"'{start.FileName}' was not started.");

    /// <inheritdoc/>
    public void Dispose() => _handle.Dispose();

    /// <inheritdoc/>
    public override string ToString() => $"net:[{Id.Inode}]";

    /// <summary>Moves the calling OS thread inside.</summary>
    internal void Enter() => SocketFailureException.ThrowIfNegative(Libc.setns(Descriptor, Libc.CLONE_NEWNET), "enter the network namespace", ToString());

    /// <summary>Goes back; a thread that is lost in a pod's namespace would send other pods' traffic from there.</summary>
    internal void EnterOrDie()
    {
        if (Libc.setns(Descriptor, Libc.CLONE_NEWNET) < 0)
            Environment.FailFast($"cannot return to the network namespace {this}: {Errno.Text(Errno.Last)}");
    }

    private static T OnThread<T>(Func<T> function)
    {
        T result = default!;
        System.Runtime.ExceptionServices.ExceptionDispatchInfo? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                result = function();
            }
            catch (Exception e)
            {
                failure = System.Runtime.ExceptionServices.ExceptionDispatchInfo.Capture(e);
            }
        })
        { IsBackground = true, Name = "netns visit" };
        thread.Start();
        thread.Join();
        failure?.Throw();
        return result;
    }

    private static unsafe (ulong Device, ulong Inode) Identify(int fd)
    {
        // statx has one layout on all architectures: inode at 32, device major and minor at 136.
        var result = stackalloc byte[256];
        byte empty = 0;
        SocketFailureException.ThrowIfNegative(Libc.statx(fd, &empty, Libc.AT_EMPTY_PATH, Libc.STATX_INO, result), "identify the network namespace", null);
        var device = ((ulong)*(uint*)(result + 136) << 32) | *(uint*)(result + 140);
        return (device, *(ulong*)(result + 32));
    }
}
