using System.Net;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using Mesh.Model.Collections;
using Mesh.Runtime.Logging;
using Mesh.Ztunnel.Local;

namespace Mesh.Ztunnel.NodeAgent;

/// <summary>
/// The pods of this node from a file (<c>ZTUNNEL_POD_LIST</c>), for nodes without Kubernetes: a JSON array of objects with uid, name, namespace,
/// serviceAccount and, where they are known, addresses and networkNamespace; dnsCapture and bypassInboundCapture as the annotations of <see cref="PodCapture"/>. Looked at every second; a file that cannot be read changes nothing.
/// </summary>
internal sealed class PodListFile(string path, LogSink sink, TimeProvider time) : INodePods
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly Log _log = sink.For("nodeagent");
    private string? _complaint;

    public async IAsyncEnumerable<IReadOnlyList<NodePod>> WatchAsync([EnumeratorCancellation] CancellationToken stop)
    {
        string? seen = null;
        while (!stop.IsCancellationRequested)
        {
            if (Read() is { } text && text != seen && Parse(text) is { } pods)
            {
                seen = text;
                _complaint = null;
                yield return pods;
            }
            await Task.Delay(Interval, time, stop);
        }
    }

    private string? Read()
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            Complain($"the pod list {path} cannot be read ({failure.Message}); what is known stays");
            return null;
        }
    }

    internal IReadOnlyList<NodePod>? Parse(string text)
    {
        try
        {
            var pods = JsonSerializer.Deserialize(text, PodListJson.Default.ListEntry) ?? [];
            if (pods.GroupBy(p => p.Uid, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1) is { } twice)
                throw new JsonException($"uid {twice.Key} is there twice");
            return [.. pods.Select(p => new NodePod(
                p.Uid,
                new PodInfo(p.Name, p.Namespace, p.ServiceAccount) { Capture = new PodCapture(p.DnsCapture, p.BypassInboundCapture ?? false) },
                (p.Addresses ?? []).Select(a => IPAddress.TryParse(a, out var address) ? address : throw new JsonException($"'{a}' of {p.Namespace}/{p.Name} is no address")).ToValueList(),
                p.NetworkNamespace))];
        }
        catch (JsonException failure)
        {
            Complain($"the pod list {path} is not usable, what is known stays: {failure.Message}");
            return null;
        }
    }

    /// <summary>The same form, for writing.</summary>
    internal static List<Entry> Entries(IEnumerable<NodePod> pods) => [.. pods.Select(p => new Entry
    {
        Uid = p.Uid,
        Name = p.Info.Name,
        Namespace = p.Info.Namespace,
        ServiceAccount = p.Info.ServiceAccount,
        Addresses = [.. p.Addresses.Select(a => a.ToString())],
        NetworkNamespace = p.NamespacePath,
        DnsCapture = p.Info.Capture.Dns,
        BypassInboundCapture = p.Info.Capture.BypassInbound ? true : null,
    })];

    private void Complain(string complaint)
    {
        if (_complaint != complaint)
            _log.Warn(complaint);
        _complaint = complaint;
    }

    internal sealed record Entry
    {
        public required string Uid { get; init; }

        public required string Name { get; init; }

        public required string Namespace { get; init; }

        public required string ServiceAccount { get; init; }

        public List<string>? Addresses { get; init; }

        public string? NetworkNamespace { get; init; }

        public bool? DnsCapture { get; init; }

        public bool? BypassInboundCapture { get; init; }
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(List<PodListFile.Entry>))]
internal sealed partial class PodListJson : JsonSerializerContext;
