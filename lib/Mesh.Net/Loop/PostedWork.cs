namespace Mesh.Net.Loop;

/// <summary>An entry of the loop's inbox: a delegate of one of the known types or an <see cref="ILoopCall"/>.</summary>
internal readonly record struct PostedWork(object Target, object? State);

internal interface ILoopCall
{
    void Run();

    void Cancel();
}

/// <summary>A call whose result another thread awaits; its continuations never run on the loop.</summary>
internal sealed class LoopCall<T>(Func<T> function) : TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously), ILoopCall
{
    public void Run()
    {
        try
        {
            TrySetResult(function());
        }
        catch (Exception e)
        {
            TrySetException(e);
        }
    }

    public void Cancel() => TrySetCanceled();
}

/// <summary>Work that must not vanish with the loop: something has to be given back.</summary>
internal sealed class LoopErrand(Action action, Action orElse) : ILoopCall
{
    public void Run() => action();

    public void Cancel() => orElse();
}
