using System.Net;
using System.Net.Sockets;
using Mesh.IstiodLite.Resources;

namespace Mesh.IstiodLite.Translation;

/// <summary>Addresses given out so far: "kind ns/name host family" to address. Immutable.</summary>
internal sealed record AddressBook(IReadOnlyDictionary<string, string> Entries)
{
    public static readonly AddressBook Empty = new(new SortedDictionary<string, string>(StringComparer.Ordinal));

    /// <summary>The other one if it says the same: who compares references sees that nothing changed.</summary>
    public AddressBook OrSame(AddressBook other) =>
        Entries.Count == other.Entries.Count && Entries.All(e => other.Entries.TryGetValue(e.Key, out var address) && address == e.Value) ? other : this;

    public static string EntryKey(ServiceEntry entry, string host, bool v6) => $"ServiceEntry {entry.Namespace}/{entry.Name} {host} {(v6 ? "v6" : "v4")}";

    public static string ServiceKey(Service service) => $"Service {service.Namespace}/{service.Name} v4";
}

/// <summary>
/// Gives addresses to hosts and services that have none. Pure: same inputs, same book. What was given out once stays while its owner lives; the
/// address of a new owner is derived from its name, so that it rarely depends on who came first.
/// </summary>
internal static class AddressAllocator
{
    public static AddressBook Allocate(ResourceSet resources, MeshSettings settings, AddressBook previous)
    {
        var wanted = new SortedDictionary<string, (IPNetwork Pool, string? Preferred)>(StringComparer.Ordinal);
        var taken = new HashSet<string>(StringComparer.Ordinal);
        foreach (var entry in resources.ServiceEntries)
        {
            taken.UnionWith(entry.Addresses);
            if (!settings.AutoAllocateIps || !Wants(entry))
                continue;
            foreach (var host in entry.Hosts.Distinct(StringComparer.Ordinal).Where(h => WantsHost(entry, h)))
            {
                Add(wanted, AddressBook.EntryKey(entry, host, v6: false), settings.IPv4Pool, Given(entry, host, AddressFamily.InterNetwork), previous);
                Add(wanted, AddressBook.EntryKey(entry, host, v6: true), settings.IPv6Pool, Given(entry, host, AddressFamily.InterNetworkV6), previous);
            }
        }
        foreach (var service in resources.Services)
        {
            taken.UnionWith(service.ClusterIps);
            if (settings.Standalone && service.ClusterIps.Count == 0 && service.Type is not "ExternalName")
                Add(wanted, AddressBook.ServiceKey(service), settings.ServicePool, null, previous);
        }

        var book = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var (key, (pool, preferred)) in wanted.Where(w => w.Value.Preferred is not null))
        {
            if (IpBytes.Parse(preferred!) is { } ip && pool.Contains(ip) && taken.Add(preferred!))
                book[key] = preferred!;
        }
        foreach (var (key, (pool, _)) in wanted)
        {
            if (!book.ContainsKey(key) && Free(key, pool, taken) is { } address)
                book[key] = address;
        }
        return new AddressBook(book);
    }

    private static bool Wants(ServiceEntry entry) =>
        entry.Addresses.Count == 0 && entry.Resolution is not EntryResolution.None && entry.Meta.Label(WellKnown.AutoAllocateIp) is not "false";

    private static bool WantsHost(ServiceEntry entry, string host) => !host.StartsWith('*') || entry.Resolution is EntryResolution.DynamicDns;

    private static string? Given(ServiceEntry entry, string host, AddressFamily family)
    {
        foreach (var (h, address) in entry.AllocatedAddresses)
        {
            if (h == host && IpBytes.Parse(address) is { } ip && ip.AddressFamily == family)
                return address;
        }
        return null;
    }

    private static void Add(SortedDictionary<string, (IPNetwork, string?)> wanted, string key, IPNetwork pool, string? given, AddressBook previous) =>
        wanted.TryAdd(key, (pool, given ?? previous.Entries.GetValueOrDefault(key)));

    private static string? Free(string key, IPNetwork pool, HashSet<string> taken)
    {
        // FNV-1a: stable across processes and machines, unlike string.GetHashCode.
        var hash = 14695981039346656037UL;
        foreach (var c in key)
            hash = (hash ^ c) * 1099511628211UL;
        var hostBits = Math.Min(pool.BaseAddress.GetAddressBytes().Length * 8 - pool.PrefixLength, 30);
        var size = 1UL << hostBits;
        for (ulong i = 0; i < size; i++)
        {
            var offset = (hash + i) % size;
            if (offset == 0 || offset == size - 1)
                continue;
            var bytes = pool.BaseAddress.GetAddressBytes();
            for (int at = bytes.Length - 1, shift = 0; shift < hostBits; at--, shift += 8)
                bytes[at] |= (byte)(offset >> shift);
            var text = new IPAddress(bytes).ToString();
            if (taken.Add(text))
                return text;
        }
        return null;
    }
}
