using Mesh.IstiodLite.Push;
using Mesh.IstiodLite.Telemetry;
using Mesh.IstiodLite.Translation;
using Mesh.Runtime;
using Mesh.Runtime.Metrics;
using Mesh.Testing;

namespace Mesh.IstiodLite.Tests.Push;

public sealed class AddressBookFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("istiod-lite-test-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Disk_ThatCannotBeWritten_IsAFault_AndTheBookIsWrittenWhenItCan()
    {
        var health = new Health(new Readiness(new ManualTimeProvider()), new MetricRegistry(), null);
        var below = Path.Combine(_folder, "state");
        var file = new AddressBookFile(Path.Combine(below, "addresses.json"), health, null);
        var book = new AddressBook(new Dictionary<string, string>(StringComparer.Ordinal) { ["shop/pay"] = "240.240.0.1" });

        file.Write(book);
        Assert.Contains("state folder: ", health.Text, StringComparison.Ordinal);
        Assert.True(file.IsBehind);
        Directory.CreateDirectory(below);
        file.Write(book);

        Assert.DoesNotContain("state folder", health.Text, StringComparison.Ordinal);
        Assert.Equal("240.240.0.1", file.Read().Entries["shop/pay"]);
    }
}
