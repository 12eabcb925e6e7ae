using BenchmarkDotNet.Attributes;
using Mesh.Http2;
using Mesh.Http2.Hpack;

namespace Mesh.Microbenchmarks;

/// <summary>The header block of a CONNECT as a ztunnel writes and reads it: static, indexed and new fields.</summary>
[MemoryDiagnoser]
public class HpackBenchmarks
{
    private const int LargestList = 65536;

    private readonly HpackEncoder _encoder = new();
    private readonly byte[] _block = new byte[4096];
    private readonly byte[] _first = new byte[4096];
    private HeaderList _connect = null!;
    private int _firstLength;

    [GlobalSetup]
    public void Setup()
    {
        _connect = HeaderList.Connect("198.18.1.21:8080");
        _connect.Add("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        _connect.Add("baggage", "k8s.cluster.name=Kubernetes,k8s.namespace.name=shop,k8s.deployment.name=orders");
        _firstLength = new HpackEncoder().Encode(_connect, _first);
    }

    [Benchmark]
    public int Encode() => _encoder.Encode(_connect, _block);

    /// <summary>The first block of a connection: every field is new, so a decoder of its own each time.</summary>
    [Benchmark]
    public int DecodeFirst()
    {
        var read = new HeaderList(8);
        return (int)new HpackDecoder().Decode(_first.AsSpan(0, _firstLength), read, LargestList) + read.Count;
    }
}
