using System.Text;

namespace Mesh.Net.Native;

/// <summary><c>sockaddr_un</c>.</summary>
internal static class UnixAddress
{
    internal const int Capacity = 110;
    private const int MaxPath = 107; // 108 with the terminating zero

    /// <summary>Writes the address and returns its length.</summary>
    internal static uint Fill(Span<byte> destination, string path)
    {
        var length = Encoding.UTF8.GetByteCount(path);
        if (length > MaxPath)
            throw new ArgumentException($"The path of a Unix socket has at most {MaxPath} bytes; this one has {length}: {path}", nameof(path));
        destination.Clear();
        destination[0] = Libc.AF_UNIX;
        Encoding.UTF8.GetBytes(path, destination[2..]);
        return (uint)(2 + length + 1);
    }
}
