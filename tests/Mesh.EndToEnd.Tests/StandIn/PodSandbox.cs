using System.Text.Json.Nodes;

using Mesh.EndToEnd.Tests.Harness;

namespace Mesh.EndToEnd.Tests.StandIn;

/// <summary>The network of a pod, made as a container runtime makes it: its namespace, and the chain of plugins that the node's configuration names.</summary>
internal sealed class PodSandbox(ClusterNode node, JsonObject pod, string name, string address)
{
    private JsonNode Metadata => pod["metadata"]!;

    /// <returns>What the Event says; null: made.</returns>
    public async Task<string?> MakeAsync()
    {
        await node.AddNetworkAsync(name, address);
        if (await CallPluginsAsync("ADD") is not { } failure)
            return null;
        await RemoveAsync();
        return failure;
    }

    public async Task RemoveAsync()
    {
        await CallPluginsAsync("DEL");
        await node.RemoveNetworkAsync(name);
    }

    /// <summary>The first file in the order of names counts; what is behind the pod network's own plugin is called with its result.</summary>
    private async Task<string?> CallPluginsAsync(string command)
    {
        var list = JsonNode.Parse(await node.ShellAsync($"cat \"$(ls {ClusterNode.NetworkFolder}/*.conflist | head -n 1)\""))!;
        JsonNode result = new JsonObject { ["cniVersion"] = "1.0.0", ["ips"] = new JsonArray(new JsonObject { ["address"] = $"{address}/24", ["gateway"] = node.Address }) };
        foreach (var plugin in list["plugins"]!.AsArray().Skip(1))
        {
            var configuration = plugin!.DeepClone().AsObject();
            configuration["name"] = list["name"]!.DeepClone();
            configuration["cniVersion"] = list["cniVersion"]!.DeepClone();
            configuration["prevResult"] = result.DeepClone();
            var answer = await node.RunAsync(
                "env", $"CNI_COMMAND={command}", $"CNI_CONTAINERID={name}", "CNI_IFNAME=eth0", $"CNI_NETNS=/var/run/netns/{name}", $"CNI_PATH={ClusterNode.PluginFolder}",
                $"CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE={Metadata["namespace"]};K8S_POD_NAME={Metadata["name"]};K8S_POD_UID={Metadata["uid"]}",
                "sh", "-c", $"printf %s \"$0\" | {ClusterNode.PluginFolder}/{plugin["type"]}", configuration.ToJsonString());
            if (answer.ExitCode != 0)
                return $"plugin type=\"{plugin["type"]}\" failed ({command.ToLowerInvariant()}): {(answer.Output.StartsWith('{') ? $"{JsonNode.Parse(answer.Output)!["msg"]}; {JsonNode.Parse(answer.Output)!["details"]}" : answer.Output + answer.Errors)}";
            if (command == "ADD")
                result = JsonNode.Parse(answer.Output)!;
        }
        return null;
    }
}
