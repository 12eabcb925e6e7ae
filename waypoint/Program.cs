using Mesh.Runtime;
using Mesh.Waypoint;

// 1. Settings are read and checked completely before anything is bound.
WaypointSettings settings;
var environment = EnvironmentSettings.FromProcess();
try
{
    settings = WaypointSettings.Read(environment);
    environment.ThrowIfInvalid();
}
catch (SettingsException e)
{
    foreach (var error in e.Errors)
        await Console.Error.WriteLineAsync($"waypoint: {error}");
    return ExitCodes.Usage;
}

// 2. Everything is put together in one place and runs until a signal. The request pipeline, step by step: DataPath.cs.
return await WaypointHost.RunAsync(settings, environment);
