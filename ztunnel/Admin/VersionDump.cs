using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;

namespace Mesh.Ztunnel.Admin;

/// <summary>The <c>version</c> of the dump. The keys are those that tools expect; <c>rustVersion</c> names the runtime there is.</summary>
internal static class VersionDump
{
    public static string Text => typeof(VersionDump).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";

    public static JsonObject Of(string istioVersion)
    {
        var parts = Text.Split('+', 2);
        return new JsonObject
        {
            ["version"] = parts[0],
            ["gitRevision"] = parts.Length > 1 ? parts[1] : "unknown",
            ["rustVersion"] = $"none ({RuntimeInformation.FrameworkDescription})",
            ["buildProfile"] = BuildProfile,
            ["buildStatus"] = "Clean",
            ["istioVersion"] = istioVersion,
            ["cryptoProvider"] = "openssl",
        };
    }

    private static string BuildProfile =>
#if DEBUG
        "debug";
#else
        "release";
#endif
}
