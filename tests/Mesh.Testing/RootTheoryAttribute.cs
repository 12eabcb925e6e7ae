using Xunit;

namespace Mesh.Testing;

/// <summary>As <see cref="RootFactAttribute"/>, with data.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class RootTheoryAttribute : TheoryAttribute
{
    public RootTheoryAttribute(params string[] tools) => Skip = Prerequisites.MissingRoot() ?? Prerequisites.MissingTools(tools);
}
