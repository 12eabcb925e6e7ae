using System.Text.Json.Nodes;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Translation;

namespace Mesh.IstiodLite.Status;

/// <summary>status.addresses of ServiceEntries that were given addresses.</summary>
internal static class AllocationStatus
{
    public static void Add(List<StatusEntry> statuses, ResourceSet resources, AddressBook book)
    {
        foreach (var entry in resources.ServiceEntries)
        {
            var addresses = new JsonArray();
            foreach (var host in entry.Hosts.Distinct(StringComparer.Ordinal))
            {
                foreach (var v6 in (ReadOnlySpan<bool>)[false, true])
                {
                    if (book.Entries.TryGetValue(AddressBook.EntryKey(entry, host, v6), out var address))
                        addresses.Add(new JsonObject { ["host"] = host, ["value"] = address });
                }
            }
            if (addresses.Count > 0 && !Same(addresses, entry))
                statuses.Add(new StatusEntry(entry.Kind, entry.Namespace, entry.Name, StatusEntry.IpWriter, new JsonObject { ["addresses"] = addresses }));
        }
    }

    /// <summary>What the document already carries is not written again.</summary>
    private static bool Same(JsonArray addresses, ServiceEntry entry) =>
        addresses.Count == entry.AllocatedAddresses.Count
        && addresses.Zip(entry.AllocatedAddresses).All(p => (string?)p.First!["host"] == p.Second.Host && (string?)p.First!["value"] == p.Second.Address);
}
