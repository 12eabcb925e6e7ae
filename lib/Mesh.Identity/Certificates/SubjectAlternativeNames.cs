using System.Formats.Asn1;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using Mesh.Model;

namespace Mesh.Identity.Certificates;

/// <summary>The subject alternative name extension (RFC 5280 4.2.1.6), as far as identities need it.</summary>
/// <remarks>Written and read here rather than through <see cref="Uri"/>, which would lower-case a trust domain and escape names.</remarks>
public static class SubjectAlternativeNames
{
    public const string Oid = "2.5.29.17";

    private static readonly Asn1Tag DnsTag = new(TagClass.ContextSpecific, 2);
    private static readonly Asn1Tag UriTag = new(TagClass.ContextSpecific, 6);
    private static readonly Asn1Tag AddressTag = new(TagClass.ContextSpecific, 7);

    /// <summary>One URI, critical: such a certificate has an empty subject, so whoever ignores this extension knows nobody.</summary>
    public static X509Extension ForIdentity(SpiffeId id) => ForUri(id.ToString());

    public static X509Extension ForUri(string uri)
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
            writer.WriteCharacterString(UniversalTagNumber.IA5String, uri, UriTag);
        return new(Oid, writer.Encode(), critical: true);
    }

    public static X509Extension ForServer(IEnumerable<string> dnsNames, IEnumerable<IPAddress> addresses)
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            foreach (var name in dnsNames)
                writer.WriteCharacterString(UniversalTagNumber.IA5String, name, DnsTag);
            foreach (var address in addresses)
                writer.WriteOctetString(address.GetAddressBytes(), AddressTag);
        }

        return new(Oid, writer.Encode(), critical: false);
    }

    /// <summary>The first URI that is a SPIFFE id; other names and URIs are passed over.</summary>
    public static SpiffeId? FirstIdentity(X509Certificate2 certificate)
    {
        foreach (var id in Identities(certificate))
            return id;
        return null;
    }

    /// <summary>All URIs that are SPIFFE ids, in their order. Nothing when the extension cannot be read: then nobody is proven.</summary>
    public static IReadOnlyList<SpiffeId> Identities(X509Certificate2 certificate)
    {
        foreach (var extension in certificate.Extensions)
        {
            if (extension.Oid?.Value == Oid)
                return Identities(extension.RawData);
        }

        return [];
    }

    internal static IReadOnlyList<SpiffeId> Identities(ReadOnlyMemory<byte> rawExtension)
    {
        var found = new List<SpiffeId>(1);
        try
        {
            var names = new AsnReader(rawExtension, AsnEncodingRules.DER).ReadSequence();
            while (names.HasData)
            {
                if (!names.PeekTag().HasSameClassAndValue(UriTag))
                    names.ReadEncodedValue();
                else if (SpiffeId.TryParse(names.ReadCharacterString(UniversalTagNumber.IA5String, UriTag), out var id))
                    found.Add(id);
            }
        }
        catch (AsnContentException)
        {
            return [];
        }

        return found;
    }
}
