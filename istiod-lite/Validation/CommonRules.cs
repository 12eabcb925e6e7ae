using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Validation;

/// <summary>Rules that several kinds share (reference: istiod 10.2).</summary>
internal static class CommonRules
{
    public static void Refuse(this DocumentFaults faults, Field at, string what, string fix) => faults.Add(at.Line, $"{at.Path} {what}", fix);

    /// <summary>At most one way of saying what a policy applies to.</summary>
    public static void Attachment(Field spec, DocumentFaults faults)
    {
        if ((spec["selector"].Exists ? 1 : 0) + (spec["targetRef"].Exists ? 1 : 0) + (spec["targetRefs"].Count > 0 ? 1 : 0) > 1)
            faults.Refuse(spec, "has more than one of selector, targetRef and targetRefs", "keep one");
        Selector(spec["selector"]["matchLabels"], faults);
        if (spec["targetRef"].Exists)
            Target(spec["targetRef"], faults);
        foreach (var target in spec["targetRefs"].Items)
            Target(target, faults);
    }

    public static void Selector(Field labels, DocumentFaults faults)
    {
        foreach (var (key, value) in labels.Entries)
        {
            if (key.Length == 0)
                faults.Refuse(value, "has no name", "name the label");
            else if (key.Contains('*', StringComparison.Ordinal) || value.Text.Contains('*', StringComparison.Ordinal))
                faults.Refuse(value, $"is \"{value.Text}\": a selector knows no wildcards", "write the whole label, or one policy per value");
        }
    }

    public static void Labels(Field labels, DocumentFaults faults)
    {
        foreach (var (key, value) in labels.Entries)
        {
            if (!Syntax.IsLabelKey(key))
                faults.Refuse(value, "is no name for a label", "use letters, digits, '-', '_' and '.', 63 at most");
            if (!Syntax.IsLabelValue(value.Text))
                faults.Refuse(value, $"is \"{value.Text}\", which no label can have", "use letters, digits, '-', '_' and '.', 63 at most");
        }
    }

    public static void ExportTo(Field exportTo, DocumentFaults faults)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var entry in exportTo.Items)
        {
            if (entry.Text is not ("." or "*" or "~") && !Syntax.IsDnsLabel(entry.Text))
                faults.Refuse(entry, $"is \"{entry.Text}\"", "write \".\", \"*\" or the name of a namespace");
            else if (!seen.Add(entry.Text))
                faults.Refuse(entry, $"names {entry.Text} again", "remove one of the two");
        }
        if (seen.Count > 1 && seen.Any(s => s is "*" or "~"))
            faults.Refuse(exportTo, "mixes \"*\" or \"~\" with other values", "keep \"*\" or \"~\" alone, or name the namespaces");
    }

    public static void Host(Field host, DocumentFaults faults, bool allowWildcard = true)
    {
        if (Syntax.HostFault(host.Text, allowWildcard) is { } fault)
            faults.Refuse(host, $"\"{host.Text}\" {fault}", "write the name of a Service, or a full host name");
    }

    /// <summary>Where the decoder has already refused the number nothing is added.</summary>
    public static void Range(Field number, long minimum, long maximum, DocumentFaults faults)
    {
        if (number.Number is { } value && (value < minimum || value > maximum))
            faults.Refuse(number, $"is {value}, it must be within {minimum} and {maximum}", "correct the number");
    }

    /// <summary>A percentage is 0 or from 0.0001 to 100: Envoy counts in millionths.</summary>
    public static void Percentage(Field percentage, DocumentFaults faults)
    {
        var value = percentage["value"];
        if (double.TryParse(value.Text, System.Globalization.CultureInfo.InvariantCulture, out var number) && number is > 0 and < 0.0001)
            faults.Refuse(value, $"is {value.Text}: less than 0.0001 cannot be expressed", "write 0, or 0.0001 to 100");
    }

    public static void Pattern(Field match, DocumentFaults faults)
    {
        if (match["regex"].Exists && Syntax.RegexFault(match["regex"].Text) is { } fault)
            faults.Refuse(match["regex"], $"is no RE2 expression: {fault}", "correct it; RE2 has neither look-around nor back-references");
    }

    private static void Target(Field target, DocumentFaults faults)
    {
        if (target["namespace"].Text.Length > 0)
            faults.Refuse(target["namespace"], $"is {target["namespace"].Text}: a policy applies only in its own namespace", "remove it, and put the policy into that namespace");
        var good = (target["group"].Text, target["kind"].Text) is ("" or "core", "Service") or ("networking.istio.io", "ServiceEntry")
            or ("gateway.networking.k8s.io", "Gateway") or ("gateway.networking.k8s.io", "GatewayClass");
        if (!good && target["kind"].Exists)
            faults.Refuse(target, $"is a {target["kind"].Text} of the group \"{target["group"].Text}\"", "name a Service (group \"\"), ServiceEntry (networking.istio.io), Gateway or GatewayClass (gateway.networking.k8s.io)");
    }
}
