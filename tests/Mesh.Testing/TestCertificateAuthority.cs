using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Mesh.Identity.Certificates;
using Mesh.Model;

namespace Mesh.Testing;

/// <summary>An authority in memory that also issues what a real one never would: expired, early, wrongly used and nameless certificates.</summary>
public sealed class TestCertificateAuthority : IDisposable
{
    private static readonly TimeSpan Life = TimeSpan.FromHours(24);
    private static readonly TimeSpan Backdate = TimeSpan.FromMinutes(2);
    private readonly TimeProvider _time;

    public TestCertificateAuthority(TimeProvider? time = null, string name = "mesh-test-root")
    {
        _time = time ?? TimeProvider.System;
        Root = CertificateIssuer.CreateRoot(name, TimeSpan.FromDays(3650), TimeSpan.FromDays(30), _time);
    }

    /// <summary>With its private key.</summary>
    public X509Certificate2 Root { get; }

    public string RootPem => Root.ExportCertificatePem();

    public WorkloadCertificate Issue(SpiffeId id, TimeSpan? ttl = null) => Make(SubjectAlternativeNames.ForIdentity(id), IssueOptions.For(ttl ?? Life, Backdate, _time));

    public WorkloadCertificate Issue(string spiffeId, TimeSpan? ttl = null) => Issue(SpiffeId.Parse(spiffeId), ttl);

    public WorkloadCertificate IssueExpired(SpiffeId id)
    {
        var now = _time.GetUtcNow();
        return Make(SubjectAlternativeNames.ForIdentity(id), new() { NotBefore = now - TimeSpan.FromHours(2), NotAfter = now - TimeSpan.FromHours(1) });
    }

    public WorkloadCertificate IssueNotYetValid(SpiffeId id)
    {
        var now = _time.GetUtcNow();
        return Make(SubjectAlternativeNames.ForIdentity(id), new() { NotBefore = now + TimeSpan.FromHours(1), NotAfter = now + TimeSpan.FromHours(2) });
    }

    /// <summary>Right in everything but for what it may be used: code signing.</summary>
    public WorkloadCertificate IssueWithWrongUsage(SpiffeId id) => IssueWithUsages(id, "1.3.6.1.5.5.7.3.3");

    public WorkloadCertificate IssueWithUsages(SpiffeId id, params string[] usages) =>
        Make(SubjectAlternativeNames.ForIdentity(id), IssueOptions.For(Life, Backdate, _time) with { ExtendedKeyUsages = usages });

    public WorkloadCertificate IssueWithoutSan() => Make(null, IssueOptions.For(Life, Backdate, _time));

    public WorkloadCertificate IssueWithUri(string uri) => Make(SubjectAlternativeNames.ForUri(uri), IssueOptions.For(Life, Backdate, _time));

    /// <summary>A chain of three: root, intermediate, leaf.</summary>
    public WorkloadCertificate IssueBelowIntermediate(SpiffeId id)
    {
        using var intermediate = CertificateIssuer.CreateIntermediate(Root, "mesh-test-intermediate", IssueOptions.For(TimeSpan.FromDays(30), Backdate, _time));
        return Make(SubjectAlternativeNames.ForIdentity(id), IssueOptions.For(Life, Backdate, _time), intermediate);
    }

    /// <summary>As <see cref="Issue(SpiffeId,TimeSpan?)"/>, but trusting peers of these authorities, not of this one.</summary>
    public WorkloadCertificate IssueTrusting(SpiffeId id, params TestCertificateAuthority[] trusted)
    {
        var own = Issue(id);
        return WorkloadCertificate.Create(own.Leaf, own.Intermediates, trusted.Select(t => X509CertificateLoader.LoadCertificate(t.Root.RawData)));
    }

    public X509Certificate2 IssueServer(IReadOnlyList<string> dnsNames, IReadOnlyList<IPAddress> addresses) =>
        CertificateIssuer.IssueServer(Root, dnsNames, addresses, IssueOptions.For(Life, Backdate, _time));

    /// <summary>As an authority's answer on the wire: leaf, then root.</summary>
    public IReadOnlyList<string> Sign(string csrPem, SpiffeId id, TimeSpan? ttl = null)
    {
        if (!ReadCsr.TryRead(csrPem, out var csr, out var reason))
            throw new ArgumentException(reason, nameof(csrPem));
        using var leaf = CertificateIssuer.SignWorkload(Root, csr, id, IssueOptions.For(ttl ?? Life, Backdate, _time));
        return [leaf.ExportCertificatePem(), RootPem];
    }

    /// <summary>A revocation list in DER, out of date on purpose: one that was not renewed still counts.</summary>
    public byte[] Revoke(params X509Certificate2[] certificates)
    {
        var builder = new CertificateRevocationListBuilder();
        foreach (var certificate in certificates)
            builder.AddEntry(certificate);
        return builder.Build(Root, System.Numerics.BigInteger.One, DateTimeOffset.UnixEpoch.AddDays(2), HashAlgorithmName.SHA256, thisUpdate: DateTimeOffset.UnixEpoch);
    }

    public void Dispose() => Root.Dispose();

    private WorkloadCertificate Make(X509Extension? names, IssueOptions options, X509Certificate2? intermediate = null)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var signed = CertificateIssuer.SignLeaf(intermediate ?? Root, new PublicKey(key), names, new X500DistinguishedName(""), options);
        X509Certificate2[] between = intermediate is null ? [] : [X509CertificateLoader.LoadCertificate(intermediate.RawData)];
        return WorkloadCertificate.Create(signed.CopyWithPrivateKey(key), between, [X509CertificateLoader.LoadCertificate(Root.RawData)]);
    }
}
