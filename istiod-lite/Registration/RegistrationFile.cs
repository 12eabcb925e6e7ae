using System.Text.Json;
using Mesh.IstiodLite.Certificates;
using Mesh.IstiodLite.Telemetry;
using Mesh.Runtime.Logging;

namespace Mesh.IstiodLite.Registration;

/// <summary>Registered instances on disk. A disk that is full costs what was registered since, after a restart, and nothing before it.</summary>
internal sealed class RegistrationFile(string path, Health health, Log? log)
{
    public IReadOnlyList<SavedInstance> Read()
    {
        try
        {
            return File.Exists(path) ? JsonSerializer.Deserialize(File.ReadAllText(path), RegistrationJson.Default.ListSavedInstance) ?? [] : [];
        }
        catch (Exception e) when (e is IOException or JsonException or UnauthorizedAccessException)
        {
            log?.Warn($"{path} cannot be read ({e.Message}); instances must register again");
            return [];
        }
    }

    public void Write(IEnumerable<Instance> instances)
    {
        var saved = instances.OrderBy(i => i.Key.ToString(), StringComparer.Ordinal)
            .Select(i => new SavedInstance(i.Namespace, i.Group, i.Name, i.ServiceAccount, i.Address, i.Healthy, i.Request)).ToList();
        try
        {
            StateFiles.Replace(path, JsonSerializer.Serialize(saved, RegistrationJson.Default.ListSavedInstance));
            health.Recovered("registrations");
        }
        catch (StateException e)
        {
            health.Failing("registrations", $"{e.Message}; make room or correct the permissions. Instances that registered since must do so again after a restart");
        }
    }
}
