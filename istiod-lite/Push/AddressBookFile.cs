using System.Text.Json;
using System.Text.Json.Serialization;
using Mesh.IstiodLite.Certificates;
using Mesh.IstiodLite.Telemetry;
using Mesh.IstiodLite.Translation;
using Mesh.Runtime.Logging;

namespace Mesh.IstiodLite.Push;

/// <summary>Addresses that were given out survive a restart: clients and DNS caches hold them.</summary>
/// <param name="path">Null: nothing is kept here, because the cluster keeps it in the status of its objects.</param>
internal sealed partial class AddressBookFile(string? path, Health health, Log? log)
{
    private string? _written;

    /// <summary>The last one that was to be written is not on disk: to be tried again.</summary>
    public bool IsBehind { get; private set; }

    public AddressBook Read()
    {
        try
        {
            if (!File.Exists(path))
                return AddressBook.Empty;
            var entries = JsonSerializer.Deserialize(File.ReadAllText(path), BookJson.Default.SortedDictionaryStringString);
            return entries is null ? AddressBook.Empty : new AddressBook(entries);
        }
        catch (Exception e) when (e is IOException or JsonException or UnauthorizedAccessException)
        {
            log?.Warn($"{path} cannot be read ({e.Message}); addresses are given out anew");
            return AddressBook.Empty;
        }
    }

    public void Write(AddressBook book)
    {
        var text = JsonSerializer.Serialize(new SortedDictionary<string, string>(book.Entries.ToDictionary(), StringComparer.Ordinal), BookJson.Default.SortedDictionaryStringString);
        if (path is null || text == _written)
            return;
        try
        {
            IsBehind = true;
            StateFiles.Replace(path, text);
            IsBehind = false;
            _written = text;
            health.Recovered("state folder");
        }
        catch (StateException e)
        {
            health.Failing("state folder", $"{e.Message}; make room or correct the permissions. Addresses that were given out since may change with the next start");
        }
    }

    [JsonSerializable(typeof(SortedDictionary<string, string>))]
    [JsonSourceGenerationOptions(WriteIndented = true)]
    private sealed partial class BookJson : JsonSerializerContext;
}
