namespace Mesh.Filters;

/// <summary>Names a filter of an assembly: <c>[assembly: MeshFilter(typeof(TenantFilter))]</c>. They run in the order in which they are written.</summary>
/// <param name="type">Implements <see cref="IFilter"/> and has a constructor without parameters.</param>
/// <param name="apiVersion">Left out: the version that the assembly was compiled against, which is the point of it.</param>
[AttributeUsage(AttributeTargets.Assembly, AllowMultiple = true)]
public sealed class MeshFilterAttribute(Type type, int apiVersion = MeshFilterAttribute.CurrentVersion) : Attribute
{
    /// <summary>Raised when an interface of this assembly changes. A waypoint loads only filters of its own version.</summary>
    public const int CurrentVersion = 1;

    public Type Type { get; } = type;

    public int ApiVersion { get; } = apiVersion;
}
