using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Mesh.Identity.Tls;

/// <summary>Certificates that were taken back, as certificate revocation lists (RFC 5280 5) name them. The lists can be replaced while in use.</summary>
/// <remarks>
/// Any thread. A list counts only for certificates of its own issuer and only with that issuer's signature. What no list speaks about is not
/// revoked, and a list that is out of date still counts: the mesh must not stop because a file was not renewed.
/// </remarks>
public sealed class RevocationList : IRevocationCheck
{
    private volatile State _state = new([], 0);

    public long Generation => _state.Generation;

    /// <summary>How many certificates are on the lists.</summary>
    public int Count => _state.Lists.Sum(l => l.Serials.Count);

    /// <summary>Takes the content of a file: any number of PEM blocks (others than lists are passed over), or one list in DER. Empty: nothing is revoked.</summary>
    /// <returns>Null, or why the content cannot be used; the lists in use stay then.</returns>
    public string? Replace(ReadOnlySpan<byte> file)
    {
        var lists = new List<List>();
        try
        {
            foreach (var der in Split(file))
                lists.Add(List.Parse(der));
        }
        catch (Exception e) when (e is AsnContentException or CryptographicException or FormatException)
        {
            return $"not a certificate revocation list: {e.Message}";
        }

        _state = new State(lists, _state.Generation + 1);
        return null;
    }

    public bool IsRevoked(X509Certificate2 certificate, X509Certificate2 issuer)
    {
        foreach (var list in _state.Lists)
        {
            if (list.Names(certificate) && list.IsSignedBy(issuer))
                return true;
        }

        return false;
    }

    /// <summary>For a peer whose chain was checked when it connected: is one of its certificates on a list now? Validity is not asked again.</summary>
    /// <param name="chain">Leaf first, root last.</param>
    public bool IsRevokedNow(IReadOnlyList<X509Certificate2> chain)
    {
        for (var i = 0; i + 1 < chain.Count; i++)
        {
            if (IsRevoked(chain[i], chain[i + 1]))
                return true;
        }

        return false;
    }

    private static List<byte[]> Split(ReadOnlySpan<byte> file)
    {
        var lists = new List<byte[]>();
        if (file.IsEmpty)
            return lists;
        if (file.IndexOf("-----BEGIN"u8) < 0)
        {
            lists.Add(file.ToArray());
            return lists;
        }

        var text = Encoding.ASCII.GetString(file).AsSpan();
        while (PemEncoding.TryFind(text, out var fields))
        {
            if (text[fields.Label].SequenceEqual("X509 CRL"))
                lists.Add(Convert.FromBase64String(text[fields.Base64Data].ToString()));
            text = text[fields.Location.End..];
        }

        return lists;
    }

    private sealed record State(IReadOnlyList<List> Lists, long Generation);

    /// <summary>One list, parsed.</summary>
    private sealed class List
    {
        private const string EcdsaSha256 = "1.2.840.10045.4.3.2";
        private const string EcdsaSha384 = "1.2.840.10045.4.3.3";
        private const string RsaSha256 = "1.2.840.113549.1.1.11";
        private const string RsaSha384 = "1.2.840.113549.1.1.12";

        private readonly byte[] _issuer;
        private readonly byte[] _signed;
        private readonly byte[] _signature;
        private readonly string _algorithm;

        private List(byte[] issuer, byte[] signed, byte[] signature, string algorithm, HashSet<string> serials)
        {
            (_issuer, _signed, _signature, _algorithm) = (issuer, signed, signature, algorithm);
            Serials = serials;
        }

        public HashSet<string> Serials { get; }

        public static List Parse(byte[] der)
        {
            // CertificateList ::= SEQUENCE { tbsCertList, signatureAlgorithm, signature }
            var outer = new AsnReader(der, AsnEncodingRules.DER).ReadSequence();
            var signed = outer.PeekEncodedValue().ToArray();
            var body = outer.ReadSequence();
            var algorithm = outer.ReadSequence().ReadObjectIdentifier();
            var signature = outer.ReadBitString(out _);

            // TBSCertList ::= SEQUENCE { version OPTIONAL, signature, issuer, thisUpdate, nextUpdate OPTIONAL, revokedCertificates OPTIONAL, ... }
            if (body.PeekTag().HasSameClassAndValue(Asn1Tag.Integer))
                body.ReadInteger();
            body.ReadSequence();
            var issuer = body.ReadEncodedValue().ToArray();
            while (body.HasData && (body.PeekTag().HasSameClassAndValue(Asn1Tag.UtcTime) || body.PeekTag().HasSameClassAndValue(Asn1Tag.GeneralizedTime)))
                body.ReadEncodedValue();
            var serials = new HashSet<string>(StringComparer.Ordinal);
            if (body.HasData && body.PeekTag().HasSameClassAndValue(Asn1Tag.Sequence))
            {
                var revoked = body.ReadSequence();
                while (revoked.HasData)
                    serials.Add(Text(revoked.ReadSequence().ReadIntegerBytes().Span));
            }

            return new List(issuer, signed, signature, algorithm, serials);
        }

        public bool Names(X509Certificate2 certificate) =>
            certificate.IssuerName.RawData.AsSpan().SequenceEqual(_issuer) && Serials.Contains(Text(certificate.SerialNumberBytes.Span));

        public bool IsSignedBy(X509Certificate2 issuer)
        {
            if (!issuer.SubjectName.RawData.AsSpan().SequenceEqual(_issuer))
                return false;
            var hash = _algorithm is EcdsaSha384 or RsaSha384 ? HashAlgorithmName.SHA384 : HashAlgorithmName.SHA256;
            if (_algorithm is EcdsaSha256 or EcdsaSha384)
            {
                using var key = issuer.GetECDsaPublicKey();
                return key?.VerifyData(_signed, _signature, hash, DSASignatureFormat.Rfc3279DerSequence) == true;
            }

            if (_algorithm is not (RsaSha256 or RsaSha384))
                return false;
            using var rsa = issuer.GetRSAPublicKey();
            return rsa?.VerifyData(_signed, _signature, hash, RSASignaturePadding.Pkcs1) == true;
        }

        // Leading zeros are a matter of encoding, not of the number.
        private static string Text(ReadOnlySpan<byte> serial) => Convert.ToHexString(serial.TrimStart((byte)0));
    }
}
