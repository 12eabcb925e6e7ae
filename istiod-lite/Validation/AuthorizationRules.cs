using System.Text.RegularExpressions;
using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Validation;

/// <summary>AuthorizationPolicy.</summary>
internal static partial class AuthorizationRules
{
    private const int MostServiceAccounts = 16;
    private const int LongestServiceAccount = 320;
    private static readonly string[] _sourceFields =
    [
        "principals", "notPrincipals", "requestPrincipals", "notRequestPrincipals", "namespaces", "notNamespaces", "serviceAccounts", "notServiceAccounts",
        "trustDomains", "notTrustDomains", "ipBlocks", "notIpBlocks", "remoteIpBlocks", "notRemoteIpBlocks",
    ];
    private static readonly string[] _operationFields = ["hosts", "notHosts", "ports", "notPorts", "methods", "notMethods", "paths", "notPaths"];
    /// <summary>An external authorizer is asked before the token is known, and for everybody alike.</summary>
    private static readonly string[] _notWithCustom =
    [
        "namespaces", "notNamespaces", "serviceAccounts", "notServiceAccounts", "trustDomains", "notTrustDomains", "principals", "notPrincipals",
        "requestPrincipals", "notRequestPrincipals",
    ];

    public static void Check(Field root, DocumentFaults faults)
    {
        var spec = root["spec"];
        CommonRules.Attachment(spec, faults);
        var action = spec["action"].Text;
        var custom = action is "CUSTOM";
        if (custom && spec["provider"]["name"].Text.Length == 0)
            faults.Refuse(spec, "has action CUSTOM without provider.name", "name the extension provider of the MeshConfig");
        if (!custom && spec["provider"].Exists)
            faults.Refuse(spec["provider"], "is only for action CUSTOM", "remove it, or set action: CUSTOM");
        if (action is "DENY" or "CUSTOM" && spec["rules"].Count == 0)
            faults.Refuse(spec, $"has action {action} without rules, which never matches", "add rules; an empty rule {} matches everything");
        foreach (var rule in spec["rules"].Items)
            Rule(rule, custom, faults);
        if (action is "DENY" && spec["rules"].Items.Any(OnlyHttp))
        {
            faults.Warn(spec.Line, "a DENY rule that uses only HTTP fields denies everything on ports that are not HTTP", "name the ports in the rule");
        }
    }

    private static void Rule(Field rule, bool custom, DocumentFaults faults)
    {
        foreach (var from in rule["from"].Items)
        {
            var source = from["source"];
            if (!NotEmpty(source, _sourceFields, faults))
                continue;
            foreach (var name in _sourceFields)
                Values(source[name], faults);
            foreach (var name in (ReadOnlySpan<string>)["ipBlocks", "notIpBlocks", "remoteIpBlocks", "notRemoteIpBlocks"])
                Blocks(source[name].Items, faults);
            ServiceAccounts(source, faults);
            foreach (var name in _notWithCustom.Where(n => custom && source[n].Count > 0))
                faults.Refuse(source[name], "cannot be used with action CUSTOM", "remove it, or use action ALLOW or DENY");
        }
        foreach (var to in rule["to"].Items)
        {
            var operation = to["operation"];
            if (!NotEmpty(operation, _operationFields, faults))
                continue;
            foreach (var name in _operationFields)
                Values(operation[name], faults);
            Ports(operation["ports"].Items.Concat(operation["notPorts"].Items), faults);
            foreach (var path in operation["paths"].Items.Concat(operation["notPaths"].Items))
                Path(path, faults);
        }
        foreach (var when in rule["when"].Items)
            When(when, custom, faults);
    }

    private static bool NotEmpty(Field owner, string[] names, DocumentFaults faults)
    {
        if (names.Any(n => owner[n].Count > 0))
            return true;
        faults.Refuse(owner, owner.Exists ? "is empty" : "is missing", $"say what it must match: {string.Join(", ", names.Where(n => !n.StartsWith("not", StringComparison.Ordinal)))}");
        return false;
    }

    private static void Values(Field list, DocumentFaults faults)
    {
        foreach (var value in list.Items.Where(v => v.Text.Length == 0))
            faults.Refuse(value, "is empty", "write a value, or \"*\" for any");
    }

    private static void Blocks(IEnumerable<Field> blocks, DocumentFaults faults)
    {
        foreach (var block in blocks.Where(b => b.Text.Length > 0 && !Syntax.IsAddressOrCidr(b.Text)))
            faults.Refuse(block, $"is \"{block.Text}\", neither an address nor a block of addresses", "write it like 10.0.0.1 or 10.0.0.0/8");
    }

    private static void Ports(IEnumerable<Field> ports, DocumentFaults faults)
    {
        foreach (var port in ports.Where(p => p.Text.Length > 0 && p.Number is not (>= 0 and <= 65535)))
            faults.Refuse(port, $"is \"{port.Text}\", which is no port", "write a number up to 65535, in quotes");
    }

    private static void ServiceAccounts(Field source, DocumentFaults faults)
    {
        foreach (var name in (ReadOnlySpan<string>)["serviceAccounts", "notServiceAccounts"])
        {
            var list = source[name];
            if (list.Count > MostServiceAccounts)
                faults.Refuse(list, $"has {list.Count} entries, more than {MostServiceAccounts}", "split the rule");
            foreach (var account in list.Items)
            {
                if (account.Text.Contains('*', StringComparison.Ordinal))
                    faults.Refuse(account, $"is \"{account.Text}\": wildcards are not allowed here", "name the account, or use namespaces or principals");
                else if (account.Text.Count(c => c == '/') > 1 || account.Text.StartsWith('/') || account.Text.EndsWith('/'))
                    faults.Refuse(account, $"is \"{account.Text}\"", "write account or namespace/account");
                else if (account.Text.Length > LongestServiceAccount)
                    faults.Refuse(account, $"has more than {LongestServiceAccount} characters", "write account or namespace/account");
            }
        }
        if ((source["serviceAccounts"].Count > 0 && (source["namespaces"].Count > 0 || source["principals"].Count > 0))
            || (source["notServiceAccounts"].Count > 0 && (source["notNamespaces"].Count > 0 || source["notPrincipals"].Count > 0)))
        {
            faults.Refuse(source, "has service accounts beside namespaces or principals", "keep one of them; a service account already names its namespace");
        }
    }

    /// <summary>{*} is one segment, {**} any number of them and last; apart from them braces mean nothing, and a star beside them is ambiguous.</summary>
    private static void Path(Field path, DocumentFaults faults)
    {
        var text = path.Text;
        if (!text.Contains('{', StringComparison.Ordinal) && !text.Contains('}', StringComparison.Ordinal))
            return;
        var segments = text.Split('/');
        var good = segments.All(s => s is "{*}" or "{**}" || !s.AsSpan().ContainsAny('{', '}', '*')) && segments.Count(s => s is "{**}") <= 1;
        if (!good)
            faults.Refuse(path, $"is \"{text}\": of braces only the segments {{*}} and (once) {{**}} are known", "use them for whole segments, or a prefix such as /orders/*");
    }

    private static void When(Field when, bool custom, DocumentFaults faults)
    {
        var key = when["key"];
        if (key.Text.Length == 0)
            return;
        if (when["values"].Count == 0 && when["notValues"].Count == 0)
            faults.Refuse(when, $"has neither values nor notValues for {key.Text}", "add values");
        Values(when["values"], faults);
        Values(when["notValues"], faults);
        var values = when["values"].Items.Concat(when["notValues"].Items);
        switch (key.Text)
        {
            case "source.ip" or "remote.ip" or "destination.ip":
                Blocks(values, faults);
                break;
            case "destination.port":
                Ports(values, faults);
                break;
            case "source.namespace" or "source.principal" or "source.serviceAccount" or "source.trustDomain" or "request.auth.principal" or "request.auth.audiences"
                or "request.auth.presenter" or "connection.sni":
                break;
            default:
                if (!MapKey().IsMatch(key.Text) && !key.Text.StartsWith("experimental.", StringComparison.Ordinal))
                    faults.Refuse(key, $"is {key.Text}, which is no attribute", "use source.ip, source.namespace, source.principal, remote.ip, destination.ip, destination.port, connection.sni, request.headers[name], request.auth.principal, request.auth.audiences, request.auth.presenter or request.auth.claims[name]");
                break;
        }
        if (custom && (key.Text is "source.namespace" or "source.serviceAccount" or "source.trustDomain" or "source.principal" || key.Text.StartsWith("request.auth.", StringComparison.Ordinal)))
            faults.Refuse(key, $"is {key.Text}, which cannot be used with action CUSTOM", "remove it, or use action ALLOW or DENY");
    }

    private static bool OnlyHttp(Field rule)
    {
        var operations = rule["to"].Items.Select(t => t["operation"]).ToList();
        var sources = rule["from"].Items.Select(f => f["source"]).ToList();
        var usesHttp = operations.Exists(o => o.HasAny("hosts", "notHosts", "methods", "notMethods", "paths", "notPaths"))
            || sources.Exists(s => s.HasAny("requestPrincipals", "notRequestPrincipals", "remoteIpBlocks", "notRemoteIpBlocks"))
            || rule["when"].Items.Any(w => w["key"].Text.StartsWith("request.", StringComparison.Ordinal));
        var usesTcp = operations.Exists(o => o.HasAny("ports", "notPorts")) || rule["when"].Items.Any(w => w["key"].Text is "destination.port");
        return usesHttp && !usesTcp;
    }

    [GeneratedRegex(@"\Arequest\.(headers\[[^\]]+\]|auth\.claims(\[[^\]]+\])+)\z")]
    private static partial Regex MapKey();
}
