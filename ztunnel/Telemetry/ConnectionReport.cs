using System.Buffers.Binary;
using System.Net;
using Mesh.Hbone;
using Mesh.Model;
using Mesh.Model.Policy;
using Mesh.Model.Workloads;
using Mesh.Ztunnel.Forwarding;

namespace Mesh.Ztunnel.Telemetry;

/// <summary>What is said of one accepted connection: exactly one closing line, one set of metrics, one decision record.</summary>
/// <remarks>
/// A connection that ends before it has a context (unknown workload, no upstream, bad authority) is an early deny: one WARN line and no series.
/// Otherwise <see cref="Open"/> once and <see cref="Complete(Failure)"/> once; completing twice is harmless, the first one counts.
/// Used on the connection's loop only.
/// </remarks>
internal sealed class ConnectionReport : ITransferMeter
{
    private readonly ConnectionTelemetry _telemetry;
    private readonly bool _isOutbound;
    private readonly IPEndPoint _source;
    private ConnectionContext? _context;
    private TrafficSeries? _series;
    private TimeParts _times;
    private UInt128 _trace;
    private long _forwarded;
    private long _returned;
    private bool _completed;

    public ConnectionReport(ConnectionTelemetry telemetry, bool isOutbound, IPEndPoint source, IPEndPoint destination)
    {
        _telemetry = telemetry;
        _isOutbound = isOutbound;
        _source = source;
        Destination = destination;
        _times.Accepted = telemetry.Now;
    }

    /// <summary>What the connection was made to; early denies name it.</summary>
    public IPEndPoint Destination { get; set; }

    /// <summary>Kept as a number: as text it would weigh as much as half of this object.</summary>
    public string? TraceId => _trace == UInt128.Zero ? null : DecisionRecord.TraceText(_trace);

    public void IsPartOf(in TraceParent trace)
    {
        Span<byte> bytes = stackalloc byte[16];
        trace.TraceId.CopyTo(bytes);
        _trace = BinaryPrimitives.ReadUInt128BigEndian(bytes);
    }

    /// <summary>Which configuration decided, and by which rule.</summary>
    public ConnectionVerdict Verdict { get; set; }

    public void Open(ConnectionContext context)
    {
        _context = context = _telemetry.Contexts.Shared(context);
        Destination = context.Target ?? Destination;
        _times.Decided = _telemetry.Now;
        _series = _telemetry.Series.Get(Key(context));
        _series.Opened();
        _telemetry.AccessLog.Opened(this, context);
    }

    /// <summary>What the other end of a tunnel inside a tunnel says of itself replaces what the registry said.</summary>
    public void Redescribe(ConnectionContext context)
    {
        _context = context = _telemetry.Contexts.Shared(context);
        _series = _telemetry.Series.Get(Key(context));
    }

    /// <summary>The tunnel goes through this connection, or was refused on it.</summary>
    public void Through(HboneClientConnection connection, bool reused) => _times.Through(connection, reused);

    public void Connected() => _times.Connected = _telemetry.Now;

    void ITransferMeter.Forwarded(long bytes)
    {
        _times.LastByte = _telemetry.Now;
        _forwarded += bytes;
        _series?.Received(bytes);
    }

    void ITransferMeter.Returned(long bytes)
    {
        _times.LastByte = _telemetry.Now;
        if (_returned == 0)
            _times.FirstByteBack = _times.LastByte;
        _returned += bytes;
        _series?.Sent(bytes);
    }

    public void Complete(TransferResult result) => Complete(result.Ending, result.Error);

    public void Complete(Failure failure) => Complete(failure.Ending, failure.Text, failure.Flag, failure.PeerReason);

    /// <summary>As <c>/config_dump</c> shows it; null while nothing is decided.</summary>
    /// <param name="original">What the client asked for; null: what the connection was made to.</param>
    /// <param name="actual">Where it was delivered; null: the next hop.</param>
    public ConnectionSummary? Summarize(string? original, string? actual, string protocol) => _context is { } context
        ? new ConnectionSummary(_source.ToString(), original, actual ?? context.Hop.ToString()!, protocol)
        : null;

    /// <summary>As it stands now, for somebody who asks before it ends.</summary>
    public DecisionRecord Sofar()
    {
        var times = _times;
        times.Ended = _telemetry.Now;
        return Record(times, null, null, null);
    }

    /// <summary>What policy is asked about, once the context and the destination are known.</summary>
    public ConnectionFacts Facts => new()
    {
        SourceIdentities = (_context?.SourceIdentity, _context?.ClientIdentity) switch
        {
            ({ } peer, { } client) => new SourceIdentities(peer, client),
            ({ } peer, null) => new SourceIdentities(peer),
            _ => SourceIdentities.None,
        },
        SourceAddress = _source.Address,
        DestinationAddress = Destination.Address,
        DestinationPort = (ushort)Destination.Port,
    };

    /// <summary>The host that the client had asked for, as the CONNECT says.</summary>
    public string? ForwardedHost => _context?.ForwardedHost;

    internal bool IsOutbound => _isOutbound;

    internal IPEndPoint Source => _source;

    internal long BytesForwarded => _forwarded;

    internal long BytesReturned => _returned;

    internal ref readonly TimeParts Times => ref _times;

    private void Complete(Ending ending, string? error, string? flag = null, string? peerReason = null)
    {
        if (_completed)
            return;
        _completed = true;
        _times.Ended = _telemetry.Now;
        if (_context is { } context)
        {
            // A connection that ended in order, or by the peer's reset, has no error text: it is not a failure of the mesh.
            _series!.Closed(error is null ? "-" : flag ?? ending.Flag());
            _telemetry.AccessLog.Completed(this, context, ending, error);
        }
        else
        {
            _telemetry.AccessLog.Denied(this, ending, error);
        }
        _telemetry.Decisions?.Add(Record(_times, ending, error, peerReason));
    }

    private DecisionRecord Record(in TimeParts times, Ending? ending, string? error, string? peerReason) => new(
        _telemetry.Time.GetUtcNow(), _isOutbound, _source, Destination, _context, Verdict, ending, error, peerReason,
        _forwarded, _returned, times, _telemetry.Time, _trace);

    private TrafficKey Key(ConnectionContext context) => new(
        _isOutbound,
        context.SourceLabels ?? _telemetry.Series.PeerOf(context.Source),
        context.SourceIdentity,
        context.DestinationLabels ?? _telemetry.Series.PeerOf(context.Destination),
        context.DestinationIdentity,
        ServiceLabels.Of(context.Service),
        context.IsMutualTls,
        context.ClientIdentity);
}
