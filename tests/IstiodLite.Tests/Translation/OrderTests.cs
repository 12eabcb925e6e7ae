using FsCheck.Xunit;
using Mesh.IstiodLite.Admin;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Files;
using Mesh.IstiodLite.Translation;

namespace Mesh.IstiodLite.Tests.Translation;

public sealed class OrderTests
{
    private static readonly string[] _scenarios = ["shop-full", "se-duplicate-hosts", "pa-oldest-wins", "wp-canary", "se-auto-vip"];

    [Property(MaxTest = 30)]
    public void Documents_InAnyOrder_GiveTheSameResult(int seed)
    {
        var name = _scenarios[(int)((uint)seed % _scenarios.Length)];
        var path = Path.Combine(AppContext.BaseDirectory, "Fixtures", "wds", name, "input.yaml");
        var resources = ParsedFile.Parse(name, File.ReadAllBytes(path)).Resources.ToArray();
        var expected = Text(resources);
        new Random(seed).Shuffle(resources);
        Assert.Equal(expected, Text(resources));
    }

    [Property(MaxTest = 50)]
    public void Addresses_WhateverWasThereBefore_AreUniqueAndStay(ushort[] removed)
    {
        var entries = Enumerable.Range(0, 40).Select(i => $"apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{ name: e{i} }}\nspec: {{ hosts: [h{i}.example], resolution: DNS, ports: [{{ number: 80, name: http, protocol: HTTP }}] }}\n---\n");
        var all = Documents.Parse(string.Concat(entries)).Resources;
        var settings = new MeshSettings { IPv4Pool = System.Net.IPNetwork.Parse("240.240.0.0/26") };
        var first = AddressAllocator.Allocate(new ResourceSet(all), settings, AddressBook.Empty);
        Assert.Equal(80, first.Entries.Values.Distinct(StringComparer.Ordinal).Count());
        var left = all.Where((_, i) => !removed.Contains((ushort)i)).ToList();
        var second = AddressAllocator.Allocate(new ResourceSet(left), settings, first);
        Assert.All(second.Entries, e => Assert.Equal(first.Entries[e.Key], e.Value));
    }

    private static string Text(IEnumerable<Resource> resources) =>
        TranslationJson.Of(MeshTranslator.Translate(new ResourceSet(resources), new MeshSettings(), AddressBook.Empty)).ToJsonString();
}
