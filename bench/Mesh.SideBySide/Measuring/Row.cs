namespace Mesh.SideBySide.Measuring;

/// <summary>One line of the table: a figure of ours, what it is compared with, and the goal.</summary>
internal sealed record Row
{
    public required string Name { get; init; }

    /// <summary>Peer, load and figure that are judged.</summary>
    public required (string Peer, Work Work, string Figure) Ours { get; init; }

    /// <summary>The same of what it is divided by; null: the figure itself counts.</summary>
    public (string Peer, Work Work, string Figure)? Against { get; init; }

    /// <summary>Ours minus the other instead of divided by it.</summary>
    public bool Difference { get; init; }

    /// <summary>Null: measured for the record.</summary>
    public double? Goal { get; init; }

    /// <summary>At least the goal (true), or at most.</summary>
    public required bool AtLeast { get; init; }

    public string Unit { get; init; } = "x";

    /// <summary>Null where nothing is demanded.</summary>
    public bool? IsMet(double value) => Goal is { } goal ? (AtLeast ? value >= goal : value <= goal) : null;

    public IEnumerable<(string Peer, Work Work)> Needs => Against is { } a ? [(Ours.Peer, Ours.Work), (a.Peer, a.Work)] : [(Ours.Peer, Ours.Work)];
}
