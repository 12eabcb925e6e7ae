using System.Security.Cryptography;

namespace Mesh.Waypoint.Pipeline;

/// <summary>Random identifiers of version 4 (RFC 9562 5.4). The operating system is asked for many at a time: one call a request is dear.</summary>
internal static class RequestIds
{
    private const int IdSize = 16;
    private const int Block = 256;

    [ThreadStatic]
    private static byte[]? t_block;

    [ThreadStatic]
    private static int t_used;

    public static string Next()
    {
        var block = t_block;
        if (block is null || t_used == block.Length)
        {
            RandomNumberGenerator.Fill(block ??= t_block = new byte[Block * IdSize]);
            t_used = 0;
        }

        var id = block.AsSpan(t_used, IdSize);
        t_used += IdSize;
        id[6] = (byte)((id[6] & 0x0f) | 0x40);
        id[8] = (byte)((id[8] & 0x3f) | 0x80);
        return new Guid(id, bigEndian: true).ToString();
    }
}
