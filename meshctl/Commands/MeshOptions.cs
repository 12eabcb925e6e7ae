using CommandLine;

using Mesh.Meshctl.Local;

namespace Mesh.Meshctl.Commands;

/// <summary>What every verb takes: which mesh.</summary>
internal abstract class MeshOptions
{
    [Option('m', "name", Default = "default", HelpText = "Which mesh; several can be up at once.")]
    public string MeshName { get; set; } = "default";

    public StateDirectory State => StateDirectory.Of(MeshName);
}
