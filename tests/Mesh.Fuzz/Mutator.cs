namespace Mesh.Fuzz;

/// <summary>Turns good inputs into nearly good ones: the bugs are close to what is legal.</summary>
internal sealed class Mutator(Random random, IReadOnlyList<byte[]> seeds)
{
    private const int MaxLength = 64 * 1024;

    // Edges of lengths, flags, prefixes and identifiers.
    private static readonly byte[] Edges = [0x00, 0x01, 0x02, 0x04, 0x08, 0x0f, 0x10, 0x1f, 0x20, 0x3f, 0x40, 0x7e, 0x7f, 0x80, 0x81, 0xbe, 0xfe, 0xff];

    public byte[] Next()
    {
        var bytes = new List<byte>(Any());
        for (var rounds = 1 + random.Next(4); rounds > 0; rounds--)
            MutateOnce(bytes);
        if (bytes.Count > MaxLength)
            bytes.RemoveRange(MaxLength, bytes.Count - MaxLength);
        return [.. bytes];
    }

    private void MutateOnce(List<byte> bytes)
    {
        if (bytes.Count == 0)
        {
            bytes.AddRange(Any());
            return;
        }

        var at = random.Next(bytes.Count);
        var length = Math.Min(1 + random.Next(random.Next(4) == 0 ? 64 : 8), bytes.Count - at);
        switch (random.Next(8))
        {
            case 0: bytes[at] ^= (byte)(1 << random.Next(8)); break;
            case 1: bytes[at] = Edges[random.Next(Edges.Length)]; break;
            case 2: bytes[at] = (byte)random.Next(256); break;
            case 3: bytes.RemoveRange(at, length); break;
            case 4: bytes.InsertRange(at, bytes.GetRange(at, length)); break;
            case 5: bytes.InsertRange(at, Enumerable.Range(0, length).Select(_ => (byte)random.Next(256))); break;
            case 6:
                var other = Any();
                var from = random.Next(other.Length + 1);
                bytes.InsertRange(at, other.AsSpan(from).ToArray());
                break;
            default:
                // Many times the same: floods.
                var piece = bytes.GetRange(at, length);
                for (var i = random.Next(100); i > 0 && bytes.Count < MaxLength; i--)
                    bytes.InsertRange(at, piece);
                break;
        }
    }

    private byte[] Any() => seeds[random.Next(seeds.Count)];
}
