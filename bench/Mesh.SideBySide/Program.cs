using CommandLine;
using Mesh.SideBySide;
using Mesh.SideBySide.Growth;
using Mesh.SideBySide.Load;

using var parser = new Parser(settings =>
{
    settings.HelpWriter = Console.Error;
    settings.AllowMultiInstance = true;
});
return await parser.ParseArguments<RunOptions, GrowthOptions, WaypointOptions, LoadOptions>(args).MapResult(
    (RunOptions o) => Bench.RunAsync(o),
    (GrowthOptions o) => GrowthBench.RunAsync(o),
    (WaypointOptions o) => PlainWaypoint.RunAsync(o),
    (LoadOptions o) => LoadCommand.RunAsync(o),
    _ => Task.FromResult(64));
