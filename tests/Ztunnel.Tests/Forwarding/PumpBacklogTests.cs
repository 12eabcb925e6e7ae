using System.Buffers;
using FsCheck.Xunit;
using Mesh.Ztunnel.Forwarding;

namespace Mesh.Ztunnel.Tests.Forwarding;

/// <summary>Bytes that wait for a slow reader.</summary>
public sealed class PumpBacklogTests
{
    [Property(MaxTest = 100)]
    public void Backlog_WhateverIsAppendedAndTaken_KeepsOrderAndLength(byte[][] pieces, byte[] takes)
    {
        var backlog = new PumpBacklog(ArrayPool<byte>.Shared);
        var expected = new Queue<byte>();
        for (var i = 0; i < Math.Max(pieces.Length, takes.Length); i++)
        {
            if (i < pieces.Length && pieces[i] is { } piece)
            {
                backlog.Append(piece);
                foreach (var value in piece)
                    expected.Enqueue(value);
            }
            for (var left = i < takes.Length ? takes[i] : 0; left > 0 && backlog.Length > 0;)
            {
                var count = Math.Min(left, backlog.First.Length);
                foreach (var value in backlog.First[..count])
                    Assert.Equal(expected.Dequeue(), value);
                backlog.Advance(count);
                left -= count;
            }
            Assert.Equal(expected.Count, backlog.Length);
        }
        Assert.Equal(expected.Count, backlog.Clear());
        Assert.True(backlog.First.IsEmpty);
    }

    [Fact]
    public void Backlog_OfAWholeWindow_ComesBackWhole()
    {
        var backlog = new PumpBacklog(ArrayPool<byte>.Shared);
        var data = System.Security.Cryptography.RandomNumberGenerator.GetBytes(4 * 1024 * 1024);
        foreach (var piece in data.Chunk(7919))
            backlog.Append(piece);
        var all = new MemoryStream();
        while (backlog.Length > 0)
        {
            all.Write(backlog.First);
            backlog.Advance(backlog.First.Length);
        }
        Assert.Equal(data, all.ToArray());
    }
}
