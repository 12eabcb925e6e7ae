using Mesh.Runtime;
using Mesh.Ztunnel;
using Mesh.Ztunnel.Admin;
using Mesh.Ztunnel.Settings;

switch (args.FirstOrDefault() ?? "proxy")
{
    case "proxy":
        break;
    case "version" or "--version":
        Console.WriteLine(VersionDump.Text);
        return ExitCodes.Ok;
    case "probe":
        return await Mesh.Ztunnel.Probe.ProbeProgram.RunAsync(args[1..], TimeProvider.System);
    case "help" or "--help":
        Console.WriteLine("ztunnel [proxy|probe|version|help]: settings come from the environment, see ztunnel/README.md");
        return ExitCodes.Ok;
    case var unknown:
        Console.Error.WriteLine($"ztunnel: unknown command '{unknown}' (known: proxy, probe, version, help)");
        return ExitCodes.Failure;
}

var environment = EnvironmentSettings.FromProcess();
ZtunnelSettings settings;
try
{
    settings = SettingsReader.Read(environment);
    environment.ThrowIfInvalid();
}
catch (SettingsException invalid)
{
    foreach (var error in invalid.Errors)
        Console.Error.WriteLine($"ztunnel: {error}");
    return ExitCodes.Usage;
}

await using var host = new ZtunnelHost(settings, environment, TimeProvider.System);
return await host.RunAsync();
