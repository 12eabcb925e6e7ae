namespace Mesh.Net.Loop;

internal enum SpliceOutcome
{
    Waiting,
    BudgetUsed,
    SourceFailed,
    DestinationFailed,
    NoPipe,
}

/// <summary>One direction of a <see cref="SplicePump"/>.</summary>
internal sealed class SpliceDirection(LoopSocket source, LoopSocket destination)
{
    private KernelPipe? _pipe;
    private bool _sourceEnded;

    /// <summary>Bytes that the destination's kernel took.</summary>
    internal long Moved { get; private set; }

    /// <summary>The source has ended, everything was delivered and the end was passed on.</summary>
    internal bool IsFinished { get; private set; }

    internal SpliceOutcome Run(int budget)
    {
        while (!IsFinished)
        {
            var filled = Fill(out var progress);
            if (filled != SpliceOutcome.Waiting)
                return filled;
            var before = Moved;
            if (!Drain())
                return SpliceOutcome.DestinationFailed;
            if (Content == 0 && _sourceEnded)
            {
                destination.ShutdownSend();
                IsFinished = true;
                break;
            }

            if (!progress && Moved == before)
                break;
            budget -= (int)(Moved - before);
            if (budget <= 0)
                return SpliceOutcome.BudgetUsed;
        }

        if (Content == 0)
            Release();
        return SpliceOutcome.Waiting;
    }

    /// <summary>Gives the pipe back; one with content is closed, not reused.</summary>
    internal void Release()
    {
        if (_pipe is null)
            return;
        source.Loop.Pipes.Return(_pipe);
        _pipe = null;
    }

    private int Content => _pipe?.Content ?? 0;

    private SpliceOutcome Fill(out bool progress)
    {
        progress = false;
        if (_sourceEnded || !source.MayReceive)
            return SpliceOutcome.Waiting;
        _pipe ??= source.Loop.Pipes.Rent();
        if (_pipe is null)
            return SpliceOutcome.NoPipe;
        while (_pipe.Content < _pipe.Capacity)
        {
            switch (source.TrySpliceTo(_pipe.WriteEnd, _pipe.Capacity - _pipe.Content, _pipe.Content == 0, out var count))
            {
                case IoStatus.Done:
                    _pipe.Content += count;
                    progress = true;
                    continue;
                case IoStatus.EndOfStream:
                    _sourceEnded = true;
                    return SpliceOutcome.Waiting;
                case IoStatus.Failed:
                    return SpliceOutcome.SourceFailed;
                default:
                    return SpliceOutcome.Waiting;
            }
        }

        return SpliceOutcome.Waiting;
    }

    private bool Drain()
    {
        while (Content > 0)
        {
            switch (destination.TrySpliceFrom(_pipe!.ReadEnd, _pipe.Content, out var count))
            {
                case IoStatus.Done:
                    _pipe.Content -= count;
                    Moved += count;
                    continue;
                case IoStatus.WouldBlock:
                    return true;
                default:
                    return false;
            }
        }

        return true;
    }
}
