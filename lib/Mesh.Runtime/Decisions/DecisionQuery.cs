using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Microsoft.AspNetCore.Http;

namespace Mesh.Runtime.Decisions;

/// <summary>What <c>GET /decisions</c> asks for: every part that is given must hold.</summary>
/// <param name="Source">Part of the client's address, name or identity.</param>
/// <param name="Destination">Part of the destination's address, name or identity.</param>
/// <param name="Id">A trace id, or the beginning of one.</param>
/// <param name="Open">Also what has not ended yet.</param>
/// <param name="Ending">One ending; <c>!ok</c> stands for every other than that.</param>
public sealed record DecisionQuery(string? Source, string? Destination, string? Id, string? Ending, int Limit, bool Open = false)
{
    /// <summary>About a megabyte of text.</summary>
    public const int DefaultLimit = 1000;

    private static readonly string[] Names = ["src", "dst", "id", "ending", "limit", "open"];

    public static readonly DecisionQuery All = new(null, null, null, null, int.MaxValue);

    public bool Matches(IDecision decision) =>
        (Source is null || decision.IsFrom(Source))
        && (Destination is null || decision.IsTo(Destination))
        && (Id is null || decision.TraceId?.StartsWith(Id, StringComparison.OrdinalIgnoreCase) == true)
        && (Ending is null || (Ending.StartsWith('!') ? decision.Ending != IDecision.Open && !Ending.AsSpan(1).SequenceEqual(decision.Ending) : Ending == decision.Ending));

    /// <summary>A word that is not known is an error: ignoring it would answer another question than the one that was asked.</summary>
    public static bool TryParse(IQueryCollection parameters, [NotNullWhen(true)] out DecisionQuery? query, [NotNullWhen(false)] out string? error)
    {
        query = null;
        foreach (var name in parameters.Keys)
        {
            if (Names.Contains(name, StringComparer.Ordinal))
                continue;
            error = $"'{name}' is not a parameter of this page (known: {string.Join(", ", Names)})";
            return false;
        }

        string? Given(string name) => parameters.TryGetValue(name, out var values) && values.Count > 0 && !string.IsNullOrEmpty(values[0]) ? values[0] : null;
        var limit = DefaultLimit;
        if (Given("limit") is { } text && (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out limit) || limit == 0))
        {
            error = $"limit is '{text}'; it must be a number of records, at least 1";
            return false;
        }

        if (Given("open") is { } open && open is not ("true" or "false"))
        {
            error = $"open is '{open}'; it must be true or false";
            return false;
        }

        query = new DecisionQuery(Given("src"), Given("dst"), Given("id"), Given("ending"), limit, Given("open") == "true");
        error = null;
        return true;
    }
}
