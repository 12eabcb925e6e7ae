using System.Buffers.Binary;
using System.Globalization;
using System.Net.Security;
using System.Text;
using System.Text.Json;
using Mesh.Identity.Tls;
using Mesh.Model;
using Mesh.Testing;

namespace Mesh.Identity.Tests.Tls;

/// <summary>The first bytes of a tunnel against those recorded from the Rust ztunnel. Groups, signature algorithms and extension order are OpenSSL's.</summary>
public sealed class ClientHelloTests
{
    private const int HelloType = 1;
    private const ushort RenegotiationSignal = 0x00FF;
    private const int ServerName = 0;
    private const int Alpn = 16;
    private const int PreSharedKey = 41;
    private const int SupportedVersions = 43;

    [Fact]
    public async Task Hello_OffersWhatWasRecorded_AndNoName()
    {
        var recorded = Fixture.Read("tls-client-hello.json").GetProperty("client_hello");
        using var ca = new TestCertificateAuthority();
        var id = SpiffeId.Parse("spiffe://cluster.local/ns/default/sa/cl");

        var hello = Hello.Parse(await CaptureAsync(new MeshTls().ClientOptions(ca.Issue(id), [id])));

        // OpenSSL adds the signalling value of RFC 5746 3.3, which is no suite and means nothing in TLS 1.3.
        Assert.Equal(Strings(recorded, "cipher_suites"), hello.Suites.Where(s => s != RenegotiationSignal).Select(s => ((TlsCipherSuite)s).ToString()));
        Assert.Equal(Strings(recorded, "supported_versions").Select(v => ushort.Parse(v, NumberStyles.HexNumber, CultureInfo.InvariantCulture)), hello.Versions);
        Assert.Equal(Strings(recorded, "alpn"), hello.Protocols);
        Assert.Equal(JsonValueKind.Null, recorded.GetProperty("sni").ValueKind);
        Assert.DoesNotContain(ServerName, hello.Extensions.Keys);
        Assert.DoesNotContain(PreSharedKey, hello.Extensions.Keys); // no resumption
    }

    private static string[] Strings(JsonElement element, string name) => [.. element.GetProperty(name).EnumerateArray().Select(e => e.GetString()!)];

    private static async Task<byte[]> CaptureAsync(SslClientAuthenticationOptions options)
    {
        var (near, far) = HandshakePair.Connect();
        await using var tls = new SslStream(near);
        var handshake = tls.AuthenticateAsClientAsync(options);
        var record = new byte[5];
        await far.ReadExactlyAsync(record);
        var body = new byte[BinaryPrimitives.ReadUInt16BigEndian(record.AsSpan(3))];
        await far.ReadExactlyAsync(body);
        await far.DisposeAsync();
        await Assert.ThrowsAnyAsync<Exception>(() => handshake);
        return body;
    }

    private sealed record Hello(IReadOnlyList<ushort> Suites, IReadOnlyDictionary<int, byte[]> Extensions)
    {
        public IEnumerable<ushort> Versions => Extensions[SupportedVersions].Skip(1).Chunk(2).Select(c => BinaryPrimitives.ReadUInt16BigEndian(c));

        public IEnumerable<string> Protocols
        {
            get
            {
                var list = Extensions[Alpn];
                for (var at = 2; at < list.Length; at += 1 + list[at])
                    yield return Encoding.ASCII.GetString(list, at + 1, list[at]);
            }
        }

        /// <summary>RFC 8446 4.1.2: type, length, version, random, session id, suites, compression, extensions.</summary>
        public static Hello Parse(byte[] message)
        {
            Assert.Equal(HelloType, message[0]);
            var at = 4 + 2 + 32;
            at += 1 + message[at];
            var suites = message.AsSpan(at + 2, BinaryPrimitives.ReadUInt16BigEndian(message.AsSpan(at))).ToArray();
            at += 2 + suites.Length;
            at += 1 + message[at];
            at += 2;
            var extensions = new Dictionary<int, byte[]>();
            while (at < message.Length)
            {
                var type = BinaryPrimitives.ReadUInt16BigEndian(message.AsSpan(at));
                var length = BinaryPrimitives.ReadUInt16BigEndian(message.AsSpan(at + 2));
                extensions[type] = message.AsSpan(at + 4, length).ToArray();
                at += 4 + length;
            }

            return new([.. suites.Chunk(2).Select(c => BinaryPrimitives.ReadUInt16BigEndian(c))], extensions);
        }
    }
}
