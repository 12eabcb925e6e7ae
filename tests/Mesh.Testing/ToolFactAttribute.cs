namespace Mesh.Testing;

/// <summary>A test that drives programs of the system. Where one is missing the test is shown as skipped, with its name.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ToolFactAttribute : FactAttribute
{
    public ToolFactAttribute(params string[] tools)
    {
        Tools = tools;
        Skip = Prerequisites.MissingTools(tools);
    }

    public IReadOnlyList<string> Tools { get; }
}
