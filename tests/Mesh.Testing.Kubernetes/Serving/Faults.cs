using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http;

namespace Mesh.Testing.Kubernetes.Serving;

/// <summary>One way of being a bad server, for requests that it matches.</summary>
public sealed record Fault
{
    /// <summary>Empty: any method; WATCH: watches only.</summary>
    public string Method { get; init; } = string.Empty;

    /// <summary>Regular expression for the path.</summary>
    public string Path { get; init; } = ".";

    /// <summary>How many requests it hits; below zero: all until it is cleared.</summary>
    public int Times { get; init; } = -1;

    /// <summary>Answer with this status and <see cref="Body"/>; 0: do not.</summary>
    public int Status { get; init; }
    public string Body { get; init; } = string.Empty;
    public string ContentType { get; init; } = "application/json";
    public int RetryAfter { get; init; }

    /// <summary>Wait before anything else happens.</summary>
    public TimeSpan Delay { get; init; }

    /// <summary>Never answer.</summary>
    public bool Hang { get; init; }

    /// <summary>Cut the connection without an answer.</summary>
    public bool Abort { get; init; }

    /// <summary>Watches: each event twice.</summary>
    public bool Duplicate { get; init; }

    /// <summary>Watches: events that happen together come in the opposite order.</summary>
    public bool Reverse { get; init; }

    /// <summary>Watches: cut each event's text in half and end the stream.</summary>
    public bool Truncate { get; init; }
}

/// <summary>The faults in force. Any thread.</summary>
public sealed class Faults
{
    private readonly Lock _gate = new();
    private readonly List<(Fault Fault, int Left)> _all = [];

    public void Add(Fault fault)
    {
        ArgumentNullException.ThrowIfNull(fault);
        lock (_gate)
            _all.Add((fault, fault.Times));
    }

    public void Clear()
    {
        lock (_gate)
            _all.Clear();
    }

    internal Fault? Take(HttpRequest request)
    {
        var isWatch = request.Query["watch"] == "true" || request.Query["watch"] == "1";
        lock (_gate)
        {
            for (var i = 0; i < _all.Count; i++)
            {
                var (fault, left) = _all[i];
                if (left == 0 || (fault.Method.Length > 0 && fault.Method != (isWatch ? "WATCH" : request.Method)) || !Regex.IsMatch(request.Path.Value!, fault.Path))
                    continue;
                if (left > 0)
                    _all[i] = (fault, left - 1);
                return fault;
            }
        }
        return null;
    }
}
