namespace Mesh.Net.Tests;

/// <summary>Tests that count the descriptors of the whole process.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class Alone
{
    public const string Name = "alone";
}
