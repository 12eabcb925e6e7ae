using Mesh.Testing;

namespace Mesh.EndToEnd.Tests.Harness;

/// <summary>A test with real programs in network namespaces, as the user who runs the tests. Skipped, with the reason, where the machine lacks something.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class MeshFactAttribute : FactAttribute
{
    public MeshFactAttribute(params string[] tools)
    {
        Tools = tools;
        Skip = MeshUser.Missing(MeshUser.Self, tools);
    }

    public IReadOnlyList<string> Tools { get; }
}

/// <summary>The same as an unprivileged user: the one who runs the tests, or "nobody" where that one is root.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class UnprivilegedMeshFactAttribute : FactAttribute
{
    public UnprivilegedMeshFactAttribute(params string[] tools)
    {
        Tools = tools;
        Skip = MeshUser.Missing(MeshUser.Unprivileged, tools);
    }

    public IReadOnlyList<string> Tools { get; }
}
