using Mesh.Cni;

// mesh-cni            called by the container runtime (CNI specification 1.1): CNI_COMMAND and the configuration on standard input
// mesh-cni install    called by the agent: copies itself to the node and chains itself into the node's network configuration
// mesh-cni uninstall  takes both back
return args switch
{
    ["install", .. var rest] => Installation.Run(rest, install: true, Console.Out, Console.Error),
    ["uninstall", .. var rest] => Installation.Run(rest, install: false, Console.Out, Console.Error),
    [] => Plugin.Run(new Invocation(Environment.GetEnvironmentVariable, Console.In, Console.Out)),
    _ => Help(),
};

static int Help()
{
    Console.Error.WriteLine("usage: mesh-cni [install|uninstall --bin-dir DIR --conf-dir DIR --agent-socket PATH --access PATH --required true|false --home NAMESPACE --excluded NAMESPACES]; without arguments it is a CNI plugin");
    return 64;
}
