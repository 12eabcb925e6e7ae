using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.Loader;
using Mesh.Filters;

namespace Mesh.Waypoint.Filters;

/// <summary>An assembly's filters in a load context of their own, so that all of it can go when the file is replaced.</summary>
[UnconditionalSuppressMessage("Trimming", "IL2026", Justification = "a native build has no filters: it refuses the setting (WaypointHost)")]
[UnconditionalSuppressMessage("Trimming", "IL2072", Justification = "a native build has no filters: it refuses the setting (WaypointHost)")]
internal sealed class FilterAssembly : AssemblyLoadContext
{
    private readonly string _folder;

    private FilterAssembly(string path)
        : base(Path.GetFileNameWithoutExtension(path), isCollectible: true) => _folder = Path.GetDirectoryName(path)!;

    /// <returns>Null: an assembly without filters, which others may need.</returns>
    /// <exception cref="ConfigurationException">It has filters and they cannot be used; the text says why.</exception>
    public static (FilterAssembly Context, IReadOnlyList<(string Name, IFilter Filter)> Filters)? Load(string path)
    {
        var context = new FilterAssembly(path);
        try
        {
            // From memory: the file stays free to be replaced.
            using var bytes = new MemoryStream(File.ReadAllBytes(path));
            var assembly = context.LoadFromStream(bytes);
            var named = assembly.GetCustomAttributes<MeshFilterAttribute>().ToList();
            if (named.Count == 0)
            {
                context.Unload();
                return null;
            }

            return (context, [.. named.Select(n => Make(n, path))]);
        }
        catch (Exception e) when (e is BadImageFormatException or IOException or ConfigurationException or TargetInvocationException or TypeLoadException or MissingMethodException or UnauthorizedAccessException)
        {
            context.Unload();
            throw new ConfigurationException($"{path}: {(e as TargetInvocationException)?.InnerException?.Message ?? e.Message}");
        }
    }

    // The interfaces and everything of the framework are the waypoint's own; only what lies beside the filter is the filter's.
    protected override Assembly? Load(AssemblyName assemblyName)
    {
        var path = Path.Combine(_folder, assemblyName.Name + ".dll");
        if (assemblyName.Name == typeof(IFilter).Assembly.GetName().Name || !File.Exists(path))
            return null;
        using var bytes = new MemoryStream(File.ReadAllBytes(path));
        return LoadFromStream(bytes);
    }

    private static (string Name, IFilter Filter) Make(MeshFilterAttribute named, string path)
    {
        if (named.ApiVersion != MeshFilterAttribute.CurrentVersion)
            throw new ConfigurationException($"{named.Type.FullName} was compiled for version {named.ApiVersion} of Mesh.Filters, this waypoint has {MeshFilterAttribute.CurrentVersion}; compile it anew");
        if (!typeof(IFilter).IsAssignableFrom(named.Type))
            throw new ConfigurationException($"{named.Type.FullName} of {Path.GetFileName(path)} is named as a filter and does not implement IFilter");
        return ($"{Path.GetFileNameWithoutExtension(path)}.{named.Type.Name}", (IFilter)Activator.CreateInstance(named.Type)!);
    }
}
