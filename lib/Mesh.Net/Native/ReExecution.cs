using System.Runtime.InteropServices;
using System.Text;

namespace Mesh.Net.Native;

/// <summary>Starts the running program again in its own process, with the same arguments and the current environment.</summary>
internal static unsafe class ReExecution
{
    internal static void Start()
    {
        // As the kernel has it: zero-terminated strings one after the other, "dotnet" included when there is no launcher of our own.
        var arguments = Split(File.ReadAllBytes("/proc/self/cmdline"));
        var environment = new List<byte[]>();
        foreach (System.Collections.DictionaryEntry variable in Environment.GetEnvironmentVariables())
            environment.Add(Encoding.UTF8.GetBytes($"{variable.Key}={variable.Value}\0"));

        // Never freed: execve replaces the memory, and a failure is reported and ends the program.
        Libc.execve(Copy("/proc/self/exe\0"u8), Vector(arguments), Vector(environment));
        throw new SocketFailureException(Errno.Last, "start this program again with fewer capabilities", (string?)null);
    }

    private static List<byte[]> Split(byte[] commandLine)
    {
        var result = new List<byte[]>();
        for (var start = 0; start < commandLine.Length;)
        {
            var end = Array.IndexOf(commandLine, (byte)0, start);
            result.Add(commandLine[start..(end + 1)]);
            start = end + 1;
        }

        return result;
    }

    private static byte* Copy(ReadOnlySpan<byte> text)
    {
        var memory = (byte*)NativeMemory.Alloc((nuint)text.Length);
        text.CopyTo(new Span<byte>(memory, text.Length));
        return memory;
    }

    private static byte** Vector(List<byte[]> strings)
    {
        var vector = (byte**)NativeMemory.AllocZeroed((nuint)(strings.Count + 1), (nuint)sizeof(byte*));
        for (var i = 0; i < strings.Count; i++)
            vector[i] = Copy(strings[i]);
        return vector;
    }
}
