namespace Mesh.Meshctl.Pods;

/// <summary>The node agent of one node, as far as pods need it.</summary>
internal interface INodeAgent
{
    /// <summary>Asks for capture of a pod; null once the agent has acknowledged, otherwise its reason.</summary>
    Task<string?> AddAsync(Pod pod, CancellationToken cancel);

    Task DeleteAsync(Pod pod, CancellationToken cancel);
}
