using Mesh.Net.Native;

namespace Mesh.Net;

/// <summary>The heap of malloc, which TLS and the runtime itself use.</summary>
public static class NativeHeapTrim
{
    /// <summary>Gives pages that a burst has left free back to the system. It looks at the whole heap, which takes its time: for a process that is quiet. Any thread.</summary>
    /// <remarks>glibc keeps them per thread and gives back only what lies at the end of a heap. Other C libraries have no such call and need none.</remarks>
    public static void Run()
    {
        try
        {
            _ = Libc.malloc_trim(0);
        }
        catch (EntryPointNotFoundException)
        {
            // Not glibc.
        }
    }
}
