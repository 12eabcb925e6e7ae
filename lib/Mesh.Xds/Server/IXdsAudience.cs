namespace Mesh.Xds.Server;

/// <summary>What one client may be sent. Any thread.</summary>
public interface IXdsAudience
{
    /// <summary>Grows each time that the answers of <see cref="MaySee"/> may be others.</summary>
    long Generation { get; }

    /// <summary>After <see cref="Generation"/> has grown. Handlers return at once.</summary>
    event Action? Changed;

    bool MaySee(XdsResource resource);
}
