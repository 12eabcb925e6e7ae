using System.Net;
using System.Text.RegularExpressions;
using Mesh.IstiodLite.Resources;
using Mesh.Runtime;

namespace Mesh.IstiodLite.Registration;

/// <summary>A registration as it was sent to one that can be kept, or the reason why not. Pure.</summary>
internal static partial class InstanceRules
{
    private static readonly TimeSpan _defaultTtl = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan _defaultForget = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan _defaultInterval = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan _defaultTimeout = TimeSpan.FromSeconds(1);
    // One instance must not cost the control plane more than a probe or a heartbeat a second.
    private static readonly TimeSpan _shortest = TimeSpan.FromSeconds(1);

    public static Instance? Make(InstanceKey key, InstanceRequest request, WorkloadGroup group, IPAddress? caller, out ErrorReply? error)
    {
        error = null;
        if (!Label().IsMatch(key.Name) || key.Group.Length + key.Name.Length > 252)
            return Refused($"the instance name \"{key.Name}\" is not a DNS label", "use lower-case letters, digits and dashes", out error);
        var address = request.Address ?? (caller is { IsIPv4MappedToIPv6: true } ? caller.MapToIPv4() : caller)?.ToString() ?? "";
        if (!IPAddress.TryParse(address, out var ip) || ip.Equals(IPAddress.Any) || ip.Equals(IPAddress.IPv6Any))
            return Refused($"\"{address}\" is not an address under which the mesh could reach the instance", "write its IP address", out error);
        if (request.Ports?.FirstOrDefault(p => p.Value is < 1 or > 65535) is { Key: not null } port)
            return Refused($"the port {port.Key} is {port.Value}", "write a number from 1 to 65535", out error);
        if (!Duration(request.Ttl, "ttl", _defaultTtl, out var ttl, out error) || !Duration(request.ForgetAfter, "forgetAfter", _defaultForget, out var forget, out error))
            return null;
        Check? check = null;
        if (request.Check is { } asked && (check = Check(asked, out error)) is null)
            return null;
        // What a registration says of its own check counts; a heartbeat that it asks for is a check, too.
        if (check is null && request.Ttl is null && group.Probe is { } probe)
            check = new Check(probe.Path is { } path ? new HttpCheck(probe.Port, path) : null, probe.Path is null ? new TcpCheck(probe.Port) : null, probe.Interval, probe.Timeout, probe.Failures, probe.Successes);
        return new Instance
        {
            Namespace = key.Namespace,
            Group = key.Group,
            Name = key.Name,
            ServiceAccount = AccountOf(group),
            Request = request,
            Address = ip.ToString(),
            Ttl = check is not null && request.Ttl is null ? null : ttl,
            ForgetAfter = forget,
            Check = check,
            // With a check nothing is known yet; a heartbeat's first is the registration itself.
            Healthy = check is null,
            Reason = check is null ? string.Empty : "not checked yet",
        };
    }

    public static string AccountOf(WorkloadGroup group) => group.Template.ServiceAccount is { Length: > 0 } account ? account : "default";

    /// <summary>The group's template with what the instance says of itself.</summary>
    public static WorkloadEntry Entry(Instance instance, WorkloadGroup group)
    {
        var labels = new Dictionary<string, string>(group.TemplateLabels, StringComparer.Ordinal);
        foreach (var (key, value) in group.Template.Labels.Concat(instance.Request.Labels ?? new Dictionary<string, string>(StringComparer.Ordinal)))
            labels[key] = value;
        return new WorkloadEntry
        {
            Meta = new ObjectMeta
            {
                Name = instance.EntryKey.Name,
                Namespace = instance.Namespace,
                Labels = labels,
                Annotations = new Dictionary<string, string>(group.Meta.Annotations, StringComparer.Ordinal) { [WellKnown.AutoRegistrationGroup] = group.Name },
            },
            Healthy = instance.Healthy,
            Endpoint = group.Template with
            {
                Address = instance.Address,
                Ports = instance.Request.Ports ?? group.Template.Ports,
                Labels = labels,
                Network = instance.Request.Network ?? group.Template.Network,
                Locality = instance.Request.Locality ?? group.Template.Locality,
                Weight = instance.Request.Weight ?? group.Template.Weight,
                ServiceAccount = AccountOf(group),
            },
        };
    }

    private static Check? Check(CheckRequest asked, out ErrorReply? error)
    {
        error = null;
        var port = asked.Http?.Port ?? asked.Tcp?.Port ?? 0;
        if (asked.Http is null == asked.Tcp is null || port is < 1 or > 65535)
        {
            error = new ErrorReply("the check must have exactly one of http and tcp, with a port", "write { \"http\": { \"port\": 8080, \"path\": \"/\" } } or { \"tcp\": { \"port\": 5432 } }");
            return null;
        }

        if (asked.Http?.Path is { Length: > 0 } path && path[0] != '/')
        {
            error = new ErrorReply($"the check's path is \"{path}\"", "begin it with a slash");
            return null;
        }

        if (!Duration(asked.Interval, "check.interval", _defaultInterval, out var interval, out error) || !Duration(asked.Timeout, "check.timeout", _defaultTimeout, out var timeout, out error))
            return null;
        return new Check(asked.Http, asked.Tcp, interval, timeout, Math.Max(asked.Failures ?? 3, 1), Math.Max(asked.Successes ?? 1, 1));
    }

    private static Instance? Refused(string reason, string fix, out ErrorReply? error)
    {
        error = new ErrorReply(reason, fix);
        return null;
    }

    private static bool Duration(string? text, string field, TimeSpan otherwise, out TimeSpan value, out ErrorReply? error)
    {
        error = null;
        value = otherwise;
        if (text is null || (DurationText.TryParse(text, out value) && value >= _shortest))
            return true;
        error = new ErrorReply($"{field} is \"{text}\"", "write a duration of at least a second, such as 30s");
        return false;
    }

    [GeneratedRegex("^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")]
    private static partial Regex Label();
}
