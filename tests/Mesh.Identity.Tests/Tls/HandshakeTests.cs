using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Mesh.Identity.Certificates;
using Mesh.Identity.Tls;
using Mesh.Model;
using Mesh.Testing;

namespace Mesh.Identity.Tests.Tls;

/// <summary>
/// What the recorded Rust ztunnel accepts and refuses, one option changed at a time.
/// </summary>
/// <remarks>
/// The options under test drive SslStream here, which on Linux sends no chosen alert for a certificate that its callback refuses; the product's
/// transport does (Mesh.Net.Tests, TlsFailureTests). Deliberate difference: P-521 is not refused, the groups are OpenSSL's default set.
/// </remarks>
public sealed class HandshakeTests : IDisposable
{
    private static readonly SpiffeId A = SpiffeId.Parse("spiffe://cluster.local/ns/default/sa/a");
    private static readonly SpiffeId B = SpiffeId.Parse("spiffe://cluster.local/ns/default/sa/b");
    private readonly TestCertificateAuthority _ca = new();
    private readonly TestCertificateAuthority _other = new();
    private readonly MeshTls _tls = new();
    private PeerVerification? _seenByServer;
    private PeerVerification? _seenByClient;

    public void Dispose()
    {
        _ca.Dispose();
        _other.Dispose();
    }

    [Fact]
    public async Task GoodPeers_SpeakTls13AndH2()
    {
        var (client, server) = await HandshakePair.RunAsync(Client(_ca.Issue(A)), Server(_ca.Issue(B)));
        Assert.True(client.Succeeded && server.Succeeded, $"{client.Error} {server.Error}");
        Assert.Equal("h2", client.Alpn);
        Assert.Equal(SslProtocols.Tls13, server.Protocol);
        Assert.Equal(TlsCipherSuite.TLS_AES_256_GCM_SHA384, server.Suite);
        Assert.Equal(new(PeerVerdict.Trusted, A, null), _seenByServer);
        Assert.Equal(new(PeerVerdict.Trusted, B, null), _seenByClient);
    }

    [Fact]
    public async Task IntermediateOnBothSides_IsSentAndFollowed()
    {
        var (client, server) = await HandshakePair.RunAsync(Client(_ca.IssueBelowIntermediate(A)), Server(_ca.IssueBelowIntermediate(B)));
        Assert.True(client.Succeeded && server.Succeeded, $"{_seenByClient} {_seenByServer}");
    }

    [Theory]
    [InlineData("none", PeerVerdict.NoCertificate)]
    [InlineData("other authority", PeerVerdict.UnknownAuthority)]
    [InlineData("other trust domain", PeerVerdict.ForeignTrustDomain)]
    [InlineData("no identity", PeerVerdict.NoIdentity)]
    [InlineData("expired", PeerVerdict.Expired)]
    [InlineData("not yet valid", PeerVerdict.NotYetValid)]
    [InlineData("wrong usage", PeerVerdict.WrongUsage)]
    public async Task BadClientCertificate_IsRefusedByTheServer(string certificate, PeerVerdict expected)
    {
        var options = Client(Bad(certificate, A));
        if (certificate == "none")
            options.ClientCertificateContext = null;

        var (client, server) = await HandshakePair.RunAsync(options, Server(_ca.Issue(B)));

        Assert.False(client.Succeeded);
        Assert.False(server.Succeeded);
        Assert.Equal(expected, _seenByServer?.Verdict);
    }

    [Theory]
    [InlineData("other authority", PeerVerdict.UnknownAuthority)]
    [InlineData("no identity", PeerVerdict.NoIdentity)]
    [InlineData("expired", PeerVerdict.Expired)]
    [InlineData("not yet valid", PeerVerdict.NotYetValid)]
    [InlineData("wrong usage", PeerVerdict.WrongUsage)]
    public async Task BadServerCertificate_IsRefusedByTheClient(string certificate, PeerVerdict expected)
    {
        var (client, _) = await HandshakePair.RunAsync(Client(_ca.Issue(A)), Server(Bad(certificate, B)));
        Assert.False(client.Succeeded);
        Assert.Equal(expected, _seenByClient?.Verdict);
    }

    [Fact]
    public async Task Server_OfAnotherIdentityThanExpected_IsRefused()
    {
        var (client, _) = await HandshakePair.RunAsync(_tls.ClientOptions(_ca.Issue(A), [A], v => _seenByClient = v), Server(_ca.Issue(B)));
        Assert.False(client.Succeeded);
        Assert.Equal(PeerVerdict.UnexpectedIdentity, _seenByClient?.Verdict);
    }

    [Fact]
    public async Task Version12_IsRefusedWithTheRecordedAlert_UnlessSwitchedOn()
    {
        var old = new MeshTls(new() { Tls12 = true });
        var only12 = old.ClientOptions(_ca.Issue(A), [B]);
        only12.EnabledSslProtocols = SslProtocols.Tls12;
        var (client, server) = await HandshakePair.RunAsync(only12, Server(_ca.Issue(B)));
        Assert.False(server.Succeeded);
        Assert.Equal("protocol version", client.Alert);

        (client, server) = await HandshakePair.RunAsync(only12, old.ServerOptions(_ca.Issue(B)));
        Assert.True(client.Succeeded && server.Succeeded, $"{client.Error} {server.Error}");
        Assert.Equal(SslProtocols.Tls12, client.Protocol);
        Assert.Equal(TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, client.Suite);

        (client, server) = await HandshakePair.RunAsync(old.ClientOptions(_ca.Issue(A), [B]), old.ServerOptions(_ca.Issue(B)));
        Assert.Equal(SslProtocols.Tls13, client.Protocol);
    }

    [Theory]
    [InlineData(TlsCipherSuite.TLS_AES_128_GCM_SHA256, true)]
    [InlineData(TlsCipherSuite.TLS_AES_256_GCM_SHA384, true)]
    [InlineData(TlsCipherSuite.TLS_CHACHA20_POLY1305_SHA256, false)]
    public async Task Suite_OnlyTheTwo_AreAccepted(TlsCipherSuite suite, bool accepted)
    {
        var options = Client(_ca.Issue(A));
#pragma warning disable CA1416 // The product and its tests run on Linux.
        options.CipherSuitesPolicy = new([suite]);
#pragma warning restore CA1416
        var (client, server) = await HandshakePair.RunAsync(options, Server(_ca.Issue(B)));
        Assert.Equal(accepted, client.Succeeded);
        Assert.Equal(accepted ? suite : null, server.Suite);
        Assert.Equal(accepted ? null : "handshake failure", client.Alert);
    }

    [Fact]
    public async Task ApplicationProtocol_OtherThanH2_IsRefused_NoneAtAllIsTaken()
    {
        var http1 = Client(_ca.Issue(A));
        http1.ApplicationProtocols = [SslApplicationProtocol.Http11];
        var (client, server) = await HandshakePair.RunAsync(http1, Server(_ca.Issue(B)));
        Assert.False(server.Succeeded);
        Assert.Equal("no application protocol", client.Alert);

        var none = Client(_ca.Issue(A));
        none.ApplicationProtocols = null;
        (client, server) = await HandshakePair.RunAsync(none, Server(_ca.Issue(B)));
        Assert.True(client.Succeeded && server.Succeeded);

        var silent = Server(_ca.Issue(B));
        silent.ApplicationProtocols = null;
        (client, server) = await HandshakePair.RunAsync(Client(_ca.Issue(A)), silent);
        Assert.True(client.Succeeded && server.Succeeded);
    }

    [Fact]
    public async Task ServerName_SentByAPeer_IsIgnored()
    {
        var named = Client(_ca.Issue(A));
        named.TargetHost = "whatever.example";
        var (client, server) = await HandshakePair.RunAsync(named, Server(_ca.Issue(B)));
        Assert.True(client.Succeeded && server.Succeeded);
    }

    [Fact]
    public async Task SecondHandshakeOfTheSamePeers_IsAFullOneAndCheckedAgain()
    {
        var (a, b) = (_ca.Issue(A), _ca.Issue(B));
        var options = Client(a);
        var serverOptions = Server(b);
        for (var i = 0; i < 3; i++)
        {
            _seenByServer = null;
            _seenByClient = null;
            var (client, server) = await HandshakePair.RunAsync(options, serverOptions);
            Assert.True(client.Succeeded && server.Succeeded);
            Assert.Equal(PeerVerdict.Trusted, _seenByServer?.Verdict);
            Assert.Equal(PeerVerdict.Trusted, _seenByClient?.Verdict);
        }

        Assert.False(options.AllowTlsResume);
        Assert.False(serverOptions.AllowTlsResume);
        Assert.Empty(serverOptions.CertificateChainPolicy!.ExtraStore); // nothing of one peer stays for the next
        Assert.Equal(a.Identity, MeshTls.PeerIdentity(a.Leaf));
    }

    [Fact]
    public void Options_MayBeMadeAgain_FromCertificatesThatWereVerified()
    {
        // The chain check disposes its own copies only.
        var own = _ca.Issue(A);
        Assert.True(_tls.Verifier.VerifyClient(own.Leaf, null, own).IsTrusted);
        Assert.True(new MeshTls().Verifier.VerifyClient(own.Leaf, null, own).IsTrusted);
        Assert.NotEmpty(own.Leaf.RawData);
        Assert.NotEmpty(own.Roots[0].RawData);
    }

    private SslClientAuthenticationOptions Client(WorkloadCertificate own) => _tls.ClientOptions(own, [B], v => _seenByClient = v);

    private SslServerAuthenticationOptions Server(WorkloadCertificate own) => _tls.ServerOptions(own, v => _seenByServer = v);

    private WorkloadCertificate Bad(string how, SpiffeId id) => how switch
    {
        "none" => _ca.Issue(id),
        "other authority" => _other.IssueTrusting(id, _ca),
        "other trust domain" => _ca.Issue(id with { TrustDomain = "other.domain" }),
        "no identity" => _ca.IssueWithoutSan(),
        "expired" => _ca.IssueExpired(id),
        "not yet valid" => _ca.IssueNotYetValid(id),
        "wrong usage" => _ca.IssueWithWrongUsage(id),
        _ => throw new ArgumentException(how, nameof(how)),
    };
}
