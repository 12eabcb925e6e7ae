using System.Formats.Asn1;
using Mesh.Identity.Certificates;
using Mesh.Model;
using Mesh.Testing;

namespace Mesh.Identity.Tests.Certificates;

public sealed class SubjectAlternativeNamesTests
{
    [Theory]
    [InlineData("spiffe://cluster.local/ns/default/sa/a")]
    [InlineData("spiffe://Upper.Case/ns/NS/sa/SA")]
    public void Identity_WrittenAndRead_IsTheSame(string text) =>
        Assert.Equal([SpiffeId.Parse(text)], SubjectAlternativeNames.Identities(SubjectAlternativeNames.ForIdentity(SpiffeId.Parse(text)).RawData));

    [Fact]
    public void Identities_OtherNamesAndOtherUris_ArePassedOver()
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            writer.WriteCharacterString(UniversalTagNumber.IA5String, "name.example", new(TagClass.ContextSpecific, 2));
            writer.WriteCharacterString(UniversalTagNumber.IA5String, "https://name.example/", new(TagClass.ContextSpecific, 6));
            writer.WriteCharacterString(UniversalTagNumber.IA5String, "spiffe://td/ns/a/sa/b/extra", new(TagClass.ContextSpecific, 6));
            writer.WriteCharacterString(UniversalTagNumber.IA5String, "spiffe://td/ns/a/sa/b", new(TagClass.ContextSpecific, 6));
            writer.WriteCharacterString(UniversalTagNumber.IA5String, "spiffe://td/ns/a/sa/c", new(TagClass.ContextSpecific, 6));
        }

        Assert.Equal([new("td", "a", "b"), new("td", "a", "c")], SubjectAlternativeNames.Identities(writer.Encode()));
    }

    [Theory]
    [InlineData("")]
    [InlineData("30")]
    [InlineData("3003860161FF")]
    [InlineData("30058603FFFFFF")]
    public void Identities_UnreadableExtension_ProvesNobody(string hex) => Assert.Empty(SubjectAlternativeNames.Identities(Convert.FromHexString(hex)));

    [Fact]
    public void FirstIdentity_OfACertificateWithoutNames_IsNull()
    {
        using var ca = new TestCertificateAuthority();
        Assert.Null(SubjectAlternativeNames.FirstIdentity(ca.IssueWithoutSan().Leaf));
        Assert.Null(SubjectAlternativeNames.FirstIdentity(ca.IssueWithUri("https://example.com/").Leaf));
    }
}
