using System.Text.Encodings.Web;
using System.Text.Json;

using CommandLine;

using Mesh.Meshctl.Control;
using Mesh.Meshctl.Why;
using Mesh.Runtime;

namespace Mesh.Meshctl.Commands;

internal enum OutputFormat
{
    Text,
    Json,
}

[Verb("why", HelpText = "Why a connection was refused, failed, hangs or was slow, told across all its hops. Without arguments: the last one.")]
internal sealed class WhyOptions : MeshOptions
{
    [Value(0, MetaName = "FROM", HelpText = "Client: part of a pod's name, address or identity.")]
    public string? From { get; set; }

    [Value(1, MetaName = "TO", HelpText = "Destination: part of a service's or pod's name, address or identity.")]
    public string? To { get; set; }

    [Option("id", HelpText = "Trace id as the logs have it, or its beginning.")]
    public string? Id { get; set; }

    [Option('e', "ending", HelpText = "Only what ended so, for example no_policy_matched; 'open' for what has not ended.")]
    public string? Ending { get; set; }

    [Option('f', "failed", HelpText = "Only what did not end in order.")]
    public bool Failed { get; set; }

    [Option('c', "count", Default = 1, HelpText = "How many connections, newest first.")]
    public int Count { get; set; } = 1;

    [Option('o', "output", Default = OutputFormat.Text, HelpText = "text or json.")]
    public OutputFormat Output { get; set; }
}

internal static class WhyCommand
{
    private static readonly JsonSerializerOptions Readable = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static async Task<int> RunAsync(WhyOptions options)
    {
        if (options.Count < 1)
            throw new Local.MeshctlException(ExitCodes.Usage, "--count is at least 1.");
        var reply = await ControlClient.AskAsync<WhyReply>(options.State, new WhyRequest
        {
            From = options.From,
            To = options.To,
            Id = options.Id,
            Ending = options.Ending ?? (options.Failed ? "!ok" : null),
            Limit = options.Count,
        });
        var stories = ConnectionStory.Join(reply.Proxies).Take(options.Count).ToList();
        if (options.Output == OutputFormat.Json)
            Console.WriteLine(StoryJson.Render(stories, reply.Proxies).ToJsonString(Readable));
        else
            Print(stories, reply.Proxies);
        return stories.Count > 0 ? ExitCodes.Ok : ExitCodes.Failure;
    }

    private static void Print(IReadOnlyList<ConnectionStory> stories, IEnumerable<ProxyDecisions> proxies)
    {
        foreach (var silent in proxies.Where(p => p.Error is not null))
            Console.Error.WriteLine($"meshctl: {silent.Proxy} could not be asked: {silent.Error}");
        if (stories.Count == 0)
        {
            Console.Error.WriteLine(
                "meshctl: no proxy remembers such a connection. It may not have come through the mesh (is the client pod part of it? 'meshctl status'), or it was so long ago that newer ones took its place.");
        }
        Console.Write(string.Join('\n', stories.Select(StoryText.Render)));
    }
}
