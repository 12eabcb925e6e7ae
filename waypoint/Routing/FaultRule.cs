namespace Mesh.Waypoint.Routing;

/// <summary>Injected delay and abort; sampled independently, each at a resolution of one in a million (reference 1.9).</summary>
internal sealed class FaultRule
{
    private const int Resolution = 1_000_000;
    private readonly int _delayShare;
    private readonly int _abortShare;

    private FaultRule(V1.Fault fault)
    {
        Delay = fault.Delay?.ToTimeSpan() ?? TimeSpan.Zero;
        _delayShare = Delay > TimeSpan.Zero ? (int)(fault.DelayPercentage * (Resolution / 100)) : 0;
        AbortStatus = fault.AbortIsGrpc ? 200 : (int)fault.AbortHttpStatus;
        AbortGrpcStatus = fault.AbortIsGrpc ? (int)fault.AbortGrpcStatus : null;
        _abortShare = fault.AbortIsGrpc || fault.AbortHttpStatus != 0 ? (int)(fault.AbortPercentage * (Resolution / 100)) : 0;
    }

    public TimeSpan Delay { get; }

    public int AbortStatus { get; }

    public int? AbortGrpcStatus { get; }

    public static FaultRule? Compile(V1.Fault? fault) => fault is null ? null : new FaultRule(fault);

    public bool ShouldDelay(Random random) => _delayShare > 0 && random.Next(Resolution) < _delayShare;

    public bool ShouldAbort(Random random) => _abortShare > 0 && random.Next(Resolution) < _abortShare;
}
