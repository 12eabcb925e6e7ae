namespace Mesh.Testing;

/// <summary>A test that needs root (network namespaces, packet rules), and optionally programs. Shown as skipped, with the reason, elsewhere.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class RootFactAttribute : FactAttribute
{
    public RootFactAttribute(params string[] tools)
    {
        Tools = tools;
        Skip = Prerequisites.MissingRoot() ?? Prerequisites.MissingTools(tools);
    }

    public IReadOnlyList<string> Tools { get; }
}
