using System.Runtime.InteropServices;

namespace Mesh.Net.Tests;

/// <summary>What malloc has given out in this process; OpenSSL's memory is in it and not in any counter of .NET.</summary>
internal static partial class NativeHeap
{
    internal static long AllocatedBytes() => (long)mallinfo2().InUse;

    [LibraryImport("libc")]
    private static partial MallInfo mallinfo2();

    [StructLayout(LayoutKind.Sequential)]
    private struct MallInfo
    {
        public nuint Arena;
        public nuint FreeChunks;
        public nuint FastChunks;
        public nuint MappedRegions;
        public nuint MappedBytes;
        public nuint Unused;
        public nuint FastBytes;
        public nuint InUse;
        public nuint Free;
        public nuint Releasable;
    }
}
