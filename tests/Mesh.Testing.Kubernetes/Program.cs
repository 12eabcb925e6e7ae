using System.Text.Json.Nodes;
using Mesh.Testing.Kubernetes;

// fake-apiserver [--port N] [--plain-port N] [--kubeconfig FILE] [--mesh-kinds] [--rbac] [--until-input-ends] [--objects FILE.json]... [--service NAMESPACE/NAME=ADDRESS]...
// Prints its addresses; ends with SIGTERM, or with standard input where it is asked to.
var server = new FakeApiServer();
int port = 0, plainPort = 0;
string? kubeConfig = null;
var untilInputEnds = false;
for (var i = 0; i < args.Length; i++)
{
    string Value() => ++i < args.Length ? args[i] : throw new ArgumentException($"{args[i - 1]} needs a value");
    switch (args[i])
    {
        case "--port":
            port = int.Parse(Value(), System.Globalization.CultureInfo.InvariantCulture);
            break;
        case "--plain-port":
            plainPort = int.Parse(Value(), System.Globalization.CultureInfo.InvariantCulture);
            break;
        case "--kubeconfig":
            kubeConfig = Value();
            break;
        case "--mesh-kinds":
            server.InstallMeshKinds();
            break;
        case "--until-input-ends":
            untilInputEnds = true;
            break;
        case "--rbac":
            server.Authorization.Enforced = true;
            break;
        case "--objects":
            var text = await File.ReadAllTextAsync(Value());
            var read = JsonNode.Parse(text);
            foreach (var item in read is JsonArray many ? many.OfType<JsonObject>() : [(JsonObject)read!])
                server.Store.Put(item);
            break;
        case "--service":
            var (name, address) = Value().Split('=', 2) is [var n, var a] ? (n, a) : throw new ArgumentException("--service NAMESPACE/NAME=ADDRESS");
            server.Webhooks.Route(name.Split('/')[0], name.Split('/')[1], new Uri(address));
            break;
        default:
            await Console.Error.WriteLineAsync($"fake-apiserver: unknown argument {args[i]}");
            return 64;
    }
}

await server.StartAsync(plainPort, port);
if (kubeConfig is not null)
    await File.WriteAllTextAsync(kubeConfig, server.KubeConfig());
Console.WriteLine($"serving {server.Address} {server.PlainAddress}");
var ended = new TaskCompletionSource();
using var signal = System.Runtime.InteropServices.PosixSignalRegistration.Create(System.Runtime.InteropServices.PosixSignal.SIGTERM, c =>
{
    c.Cancel = true;
    ended.TrySetResult();
});
if (untilInputEnds)
    _ = Console.In.ReadToEndAsync().ContinueWith(_ => ended.TrySetResult(), TaskScheduler.Default);
await ended.Task;
await server.DisposeAsync();
return 0;
