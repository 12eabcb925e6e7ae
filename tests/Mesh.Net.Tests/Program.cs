namespace Mesh.Net.Tests;

/// <summary>Scenarios that need a process of their own: started by tests, one word on standard output.</summary>
internal static class Program
{
    private static int Main(string[] arguments)
    {
        switch (arguments.FirstOrDefault())
        {
            case "exhaust-descriptors":
                return Scenarios.ExhaustDescriptors();
            case "restrict":
                return Scenarios.Restrict();
            default:
                Console.Error.WriteLine("Started by the tests of Mesh.Net; run them with `dotnet test`.");
                return 64;
        }
    }
}
