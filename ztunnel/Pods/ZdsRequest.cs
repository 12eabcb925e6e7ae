using Google.Protobuf;
using Istio.Workload.Zds;
using Mesh.Xds;
using Mesh.Ztunnel.Local;

namespace Mesh.Ztunnel.Pods;

/// <summary>One datagram of the node agent, decoded and checked.</summary>
internal abstract record ZdsRequest
{
    /// <summary>One datagram is never larger: more means that the message was cut.</summary>
    public const int MaxDatagram = 1024;

    private ZdsRequest()
    {
    }

    public sealed record Add(string Uid, PodInfo Info) : ZdsRequest;

    public sealed record Keep(string Uid) : ZdsRequest;

    public sealed record Delete(string Uid) : ZdsRequest;

    public sealed record SnapshotSent : ZdsRequest;

    /// <summary>No payload in it. There is nothing to acknowledge: the connection is closed.</summary>
    public sealed record Empty : ZdsRequest;

    /// <summary>Cannot be used: an error answer, then a new connection.</summary>
    public sealed record Unreadable(string Reason) : ZdsRequest;

    /// <summary>The agent breaks the protocol: an error answer, and the process ends, because both sides disagree about which pods exist.</summary>
    public sealed record Violation(string Reason) : ZdsRequest;

    /// <param name="descriptors">How many file descriptors came along; an add needs exactly one, everything else none.</param>
    public static ZdsRequest Decode(ReadOnlySpan<byte> datagram, bool truncated, int descriptors)
    {
        if (truncated)
            return new Unreadable($"the message is longer than {MaxDatagram} bytes or carries more than one file descriptor");
        WorkloadRequest message;
        try
        {
            message = WorkloadRequest.Parser.ParseUntrusted(datagram);
        }
        catch (MalformedMessageException failure)
        {
            return new Unreadable($"failed to decode request: {failure.Message}");
        }
        if (message.PayloadCase == WorkloadRequest.PayloadOneofCase.Add)
        {
            return descriptors == 1
                ? ToAdd(message.Add)
                : new Unreadable($"an add needs exactly one network namespace descriptor, got {descriptors}");
        }
        if (descriptors != 0)
            return new Unreadable($"only an add may carry a file descriptor, got {descriptors} with {message.PayloadCase}");
        return message.PayloadCase switch
        {
            WorkloadRequest.PayloadOneofCase.Keep => new Keep(message.Keep.Uid),
            WorkloadRequest.PayloadOneofCase.Del => new Delete(message.Del.Uid),
            WorkloadRequest.PayloadOneofCase.SnapshotSent => new SnapshotSent(),
            _ => new Empty(),
        };
    }

    public static byte[] Hello() => new ZdsHello { Version = Istio.Workload.Zds.Version.V1 }.ToByteArray();

    /// <param name="error">Null or empty: success.</param>
    public static byte[] Acknowledge(string? error) => new WorkloadResponse { Ack = new Ack { Error = error ?? string.Empty } }.ToByteArray();

    private static ZdsRequest ToAdd(AddWorkload add) => add.WorkloadInfo is { } info
        ? new Add(add.Uid, new PodInfo(info.Name, info.Namespace, info.ServiceAccount))
        : new Violation($"workload_info is missing for {add.Uid}: the agent speaks an older protocol");
}
