using System.IO.Pipelines;
using Mesh.Net;

namespace Mesh.Hbone;

/// <summary>Runs pipe continuations on a loop: at once when already there, by post otherwise.</summary>
public sealed class LoopPipeScheduler(EventLoop loop) : PipeScheduler
{
    public override void Schedule(Action<object?> action, object? state)
    {
        if (loop.InLoop)
            action(state);
        else
            loop.Post(() => action(state));
    }
}
