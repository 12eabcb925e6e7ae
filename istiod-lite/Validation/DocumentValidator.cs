using Mesh.IstiodLite.Sources.Documents;
using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Validation;

/// <summary>
/// Judges documents: a pure function of one document, the same for files, for <c>meshctl validate</c> and for an admission webhook. A file is in
/// force where neither the schema nor the webhook of a cluster would refuse it.
/// </summary>
internal static class DocumentValidator
{
    private static readonly Dictionary<string, Action<Field, DocumentFaults>> _rules = new(StringComparer.Ordinal)
    {
        ["AuthorizationPolicy"] = AuthorizationRules.Check,
        ["PeerAuthentication"] = AuthenticationRules.Peer,
        ["RequestAuthentication"] = AuthenticationRules.Request,
        ["VirtualService"] = VirtualServiceRules.Check,
        ["DestinationRule"] = DestinationRuleRules.Check,
        ["ServiceEntry"] = EntryRules.ServiceEntry,
        ["WorkloadEntry"] = EntryRules.WorkloadEntry,
        ["WorkloadGroup"] = EntryRules.WorkloadGroup,
    };

    /// <param name="root">One document; a List is several.</param>
    /// <param name="file">As people know it; empty where there is none.</param>
    public static IEnumerable<DecodedDocument> Judge(YamlNode root, string file) => DocumentDecoder.Decode(root, file, Check);

    private static void Check(string kind, YamlMapping document, DocumentFaults faults)
    {
        if (_rules.TryGetValue(kind, out var check))
            check(new Field(document, string.Empty, document.Line), faults);
    }
}
