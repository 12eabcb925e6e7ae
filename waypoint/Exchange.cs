using Mesh.Waypoint.Balancing;
using Mesh.Waypoint.Forwarding;
using Mesh.Waypoint.Routing;
using Mesh.Waypoint.Transport;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint;

/// <summary>
/// One request on its way through the pipeline: what was decided so far and what will be reported. Made by the first middleware, owned by the
/// request; nothing here outlives it.
/// </summary>
internal sealed class Exchange(HttpContext http, InboundConnection connection, long startedAt)
{
    public HttpContext Http { get; } = http;

    public InboundConnection Connection { get; } = connection;

    public long StartedAt { get; } = startedAt;

    /// <summary>Set by the hygiene step; everything behind it may rely on it.</summary>
    public RequestFacts Facts { get; set; } = null!;

    public Destination? Destination { get; set; }

    public PortRoutes? Port { get; set; }

    public CompiledRoute? Route { get; set; }

    public RouteMatcher? Match { get; set; }

    /// <summary>Claims of a valid token; null where the request brought none.</summary>
    public TokenClaims? Claims => Facts.Claims;

    /// <summary>The external authorizer that was asked last and what it said.</summary>
    public (string Name, Authorization.External.AuthorizerVerdict Verdict)? Authorizer { get; set; }

    /// <summary>The rate limit that was used up: policy and rule.</summary>
    public string? RateLimit { get; set; }

    /// <summary>The verdict of policies under dry run: what they would have done.</summary>
    public string? DryRun { get; set; }

    /// <summary>One line per try, kept only where there was more than one or the only one failed.</summary>
    public List<string>? Tries { get; private set; }

    /// <summary>Times of the stream itself; null where none is set.</summary>
    public StreamWatch? Watch { get; set; }

    // What the report says.
    public ResponseFlags Flags { get; set; }

    public string? Details { get; set; }

    public string? TerminationDetails { get; set; }

    public string? UpstreamFailure { get; set; }

    public ClusterState? Cluster { get; set; }

    public EndpointState? Endpoint { get; set; }

    public int Attempts { get; set; }

    /// <summary>0 where the client left before there was a response.</summary>
    public int ReportedStatus => Flags.Has(ResponseFlags.DownstreamConnectionTermination) && !Http.Response.HasStarted ? 0 : Http.Response.StatusCode;

    /// <summary>Nobody waits for the answer any more. Kestrel says so a moment later than the connection itself.</summary>
    public bool HasClientLeft => Connection.PeerEnded.IsCompleted || Http.RequestAborted.IsCancellationRequested;

    public long BytesReceived { get; set; }

    public long BytesSent { get; set; }

    public long? UpstreamServiceMilliseconds { get; set; }

    public int? GrpcStatus { get; set; }

    /// <summary>The path as the client sent it, with its query: what logs show.</summary>
    public string OriginalPath { get; set; } = "/";

    /// <summary>Takes the first route that matches the request as it is now; none: null.</summary>
    public void ChooseRoute(PortRoutes port)
    {
        Port = port;
        var match = port.Match(Facts);
        (Route, Match) = (match?.Route, match?.Match);
        Cluster = Route?.Forward?.Targets is { IsEmpty: false, Items.Count: 1 } targets ? targets.Items[0].Cluster : null;
    }

    /// <summary>Headers for the client, whoever makes the response; applied when its own are there.</summary>
    public void AddResponseHeaders(IReadOnlyList<HeaderChange> headers) =>
        Http.Response.OnStarting(() =>
        {
            HeaderChange.Apply(headers, Http.Response.Headers);
            return Task.CompletedTask;
        });

    /// <summary>Notes a try that was not the end of it, or was a bad one.</summary>
    public void NoteTry(EndpointState endpoint, string outcome) =>
        Note($"try {Attempts}: {endpoint.Text}{(endpoint.Outlier.IsEjected ? " (ejected by it)" : string.Empty)}: {outcome}");

    /// <summary>One more line for the decision record.</summary>
    public void Note(string step) => (Tries ??= []).Add(step);

    /// <summary>An endpoint that asks to be left alone is, where that is possible.</summary>
    public void NotePushback(EndpointState endpoint, TimeSpan? asked)
    {
        if (asked is { } time && Cluster?.PushBack(endpoint, time) is { } held)
            Note(FormattableString.Invariant($"try {Attempts}: {endpoint.Text} is rate-limited: less preferred for {held.TotalSeconds:0.###} s"));
    }

    public FormatFacts FormatFacts(bool withResponse) => new(
        Facts,
        Http.Request.Protocol,
        Connection.Original.ToString(),
        withResponse ? Http.Response.StatusCode : null,
        withResponse ? Flags.ToText() : null,
        Endpoint?.Text,
        withResponse ? Http.Response.Headers : null);

    public static Exchange Of(HttpContext http) => ((Pipeline.WaypointContext)http).Exchange;
}
