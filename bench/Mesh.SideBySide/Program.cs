using CommandLine;
using Mesh.SideBySide;
using Mesh.SideBySide.Growth;
using Mesh.SideBySide.Load;
using Mesh.SideBySide.Measuring;

using var parser = new Parser(settings =>
{
    settings.HelpWriter = Console.Error;
    settings.AllowMultiInstance = true;
});
return await parser.ParseArguments<RunOptions, GrowthOptions, IdleOptions, WaypointOptions, LoadOptions>(args).MapResult(
    (RunOptions o) => Bench.RunAsync(o),
    (GrowthOptions o) => GrowthBench.RunAsync(o),
    (IdleOptions o) => IdleRun.RunAsync(o),
    (WaypointOptions o) => PlainWaypoint.RunAsync(o),
    (LoadOptions o) => LoadCommand.RunAsync(o),
    _ => Task.FromResult(64));
