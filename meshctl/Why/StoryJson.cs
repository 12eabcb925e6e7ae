using System.Text.Json.Nodes;

using Mesh.Meshctl.Control;

namespace Mesh.Meshctl.Why;

/// <summary>The same for programs.</summary>
internal static class StoryJson
{
    public static JsonObject Render(IEnumerable<ConnectionStory> stories, IEnumerable<ProxyDecisions> proxies) => new()
    {
        ["connections"] = new JsonArray([.. stories.Select(Connection)]),
        ["not_asked"] = new JsonArray([.. proxies.Where(p => p.Error is not null).Select(p => (JsonNode)new JsonObject { ["proxy"] = p.Proxy, ["error"] = p.Error })]),
    };

    private static JsonNode Connection(ConnectionStory story)
    {
        var explanation = Explanation.Of(story);
        return new JsonObject
        {
            ["trace_id"] = story.Id,
            ["began"] = story.Began.ToString("O"),
            ["client"] = story.Client,
            ["destination"] = story.Destination,
            ["ending"] = story.Cause.Ending,
            ["ended_by"] = story.Cause.Proxy,
            ["reason"] = explanation.Reason,
            ["action"] = explanation.Action,
            ["hops"] = new JsonArray([.. story.Hops.Select(h => (JsonNode)h.ToJson())]),
        };
    }
}
