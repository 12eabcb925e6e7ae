using FsCheck.Xunit;
using Mesh.IstiodLite.Push;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Tests.Translation.Incremental;
using Mesh.IstiodLite.Translation;
using Mesh.IstiodLite.Translation.Incremental;

namespace Mesh.IstiodLite.Tests.Push;

public sealed class PublisherTests
{
    /// <summary>The slow model publishes everything of the end state into empty tables.</summary>
    [Property(MaxTest = 30)]
    public void Tables_AfterAnySequenceOfChanges_HoldWhatTheEndStateAloneWouldGive(int seed)
    {
        var random = new Random(seed);
        var settings = new MeshSettings { Standalone = true };
        var translation = new MeshTranslation(settings, AddressBook.Empty);
        var documents = new ResourceSet(Universe.Keys.Where(_ => random.Next(4) > 0).Select(k => Universe.AnyVersion(k, random)));
        var publisher = new Publisher();
        publisher.For("default/payment-waypoint"); // somebody asked before it was declared
        var current = translation.Apply(documents, []);
        publisher.Publish(current, 0);
        for (var step = 0; step < 30; step++)
        {
            var key = Universe.Keys[random.Next(Universe.Keys.Count)];
            var change = new ResourceChange(documents.Find(key), random.Next(4) == 0 ? null : Universe.AnyVersion(key, random));
            if (ReferenceEquals(change.Before, change.After))
                continue;
            documents = documents.With([change]);
            current = translation.Apply(documents, [change]);
            publisher.Publish(current, 0);
        }

        var fresh = new Publisher();
        fresh.Publish(current, 0);
        Assert.Equal(Content(fresh), Content(publisher));
    }

    [Fact]
    public void Change_IsToldWithItsTime_AndNothingElseIsTouched()
    {
        var settings = new MeshSettings { Standalone = true };
        var translation = new MeshTranslation(settings, AddressBook.Empty);
        var documents = new ResourceSet(Documents.Parse(Documents.PaymentService + Documents.Pod("a", "payment", "198.18.1.1") + Documents.Pod("b", "payment", "198.18.1.2")).Resources);
        var publisher = new Publisher();
        publisher.Publish(translation.Apply(documents, []), 0);
        var untouched = publisher.Addresses.Find("Kubernetes//Pod/default/b");
        var change = new ResourceChange(documents.Pods[0], Documents.Parse(Documents.Pod("a", "payment", "198.18.1.9")).Resources[0]);
        Assert.Equal(1, publisher.Publish(translation.Apply(documents.With([change]), [change]), 0));
        Assert.Same(untouched, publisher.Addresses.Find("Kubernetes//Pod/default/b"));
    }

    private static string[] Content(Publisher publisher) =>
        [.. publisher.Tables().SelectMany(t => t.Table.All().Select(r => $"{t.Owner} {t.Table.TypeUrl} {r.Name} {r.Version} {string.Join(',', r.Aliases.Order(StringComparer.Ordinal))}")).Order(StringComparer.Ordinal)];
}
