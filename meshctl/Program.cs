using Mesh.Meshctl.Commands;

return await CommandLineEntry.RunAsync(args);
