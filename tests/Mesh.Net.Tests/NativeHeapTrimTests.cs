using System.Globalization;
using System.Runtime.InteropServices;

namespace Mesh.Net.Tests;

public sealed class NativeHeapTrimTests
{
    private const int Blocks = 64 * 1024;
    private const int Size = 1024;

    /// <summary>A block that lives at the end keeps everything before it resident, until somebody asks.</summary>
    [GlibcFact]
    public void Run_AfterABurst_GivesItsPagesBack()
    {
        var blocks = new IntPtr[Blocks];
        for (var i = 0; i < Blocks; i++)
        {
            blocks[i] = Marshal.AllocHGlobal(Size);
            Marshal.WriteByte(blocks[i], 1);
        }

        var stays = Marshal.AllocHGlobal(Size);
        try
        {
            foreach (var block in blocks)
                Marshal.FreeHGlobal(block);
            var before = ResidentBytes();
            NativeHeapTrim.Run();
            // Half: other tests run in this process, too.
            Assert.InRange(before - ResidentBytes(), Blocks * Size / 2, long.MaxValue);
        }
        finally
        {
            Marshal.FreeHGlobal(stays);
        }
    }

    private static long ResidentBytes()
    {
        var line = File.ReadLines("/proc/self/status").First(l => l.StartsWith("RssAnon:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;
    }

    /// <summary>musl gives memory back by itself.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    private sealed class GlibcFactAttribute : FactAttribute
    {
        public GlibcFactAttribute() => Skip = NativeLibrary.TryGetExport(NativeLibrary.GetMainProgramHandle(), "malloc_trim", out _) ? null : "not glibc";
    }
}
