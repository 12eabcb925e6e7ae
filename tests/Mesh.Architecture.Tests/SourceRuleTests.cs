using System.Text.RegularExpressions;

namespace Mesh.Architecture.Tests;

/// <summary>Rules that the compiler cannot check, each with its reason in the failure text.</summary>
public sealed partial class SourceRuleTests
{
    private const int HardLimit = 500;
    private const int MedianLimit = 150;

    [Fact]
    public void Files_StayWithinTheSizeBudget()
    {
        var sizes = Repository.SourceFiles.Select(f => (File: f, Lines: Repository.Read(f).Count(c => c == '\n'))).ToList();
        Assert.Empty(sizes.Where(s => s.Lines > HardLimit).Select(s => $"{s.File}: {s.Lines} lines, the limit is {HardLimit}"));

        var product = sizes.Where(s => Repository.IsProduct(s.File)).Select(s => s.Lines).Order().ToList();
        Assert.True(product.Count == 0 || product[product.Count / 2] <= MedianLimit, $"median {product[product.Count / 2]} lines, the budget is {MedianLimit}");
    }

    [Fact]
    public void NativeCalls_AreOnlyInMeshNet()
    {
        foreach (var file in Repository.SourceFiles.Where(f => Repository.IsProduct(f) && !f.StartsWith("lib/Mesh.Net/", StringComparison.Ordinal)))
        {
            var text = Repository.Read(file);
            Assert.False(text.Contains("[LibraryImport", StringComparison.Ordinal) || text.Contains("[DllImport", StringComparison.Ordinal),
                $"{file} calls native code: that belongs into lib/Mesh.Net");
        }
    }

    [Fact]
    public void Namespace_OfEveryFile_IsItsFolder()
    {
        var roots = Repository.Projects.ToDictionary(
            p => Path.GetDirectoryName(p)!.Replace('\\', '/'),
            p => RootNamespace().Match(Repository.Read(p)).Groups[1].Value,
            StringComparer.Ordinal);
        foreach (var file in Repository.SourceFiles)
        {
            var declared = NamespaceDeclaration().Match(Repository.Read(file));
            if (!declared.Success)
                continue; // top-level statements, assembly attributes
            var folder = Path.GetDirectoryName(file)!.Replace('\\', '/');
            var project = roots.Keys.Where(k => folder == k || folder.StartsWith(k + "/", StringComparison.Ordinal)).MaxBy(k => k.Length);
            Assert.True(project is not null, $"{file} belongs to no project");
            var rest = folder[project.Length..].Replace('/', '.').Replace("-", string.Empty, StringComparison.Ordinal);
            Assert.True(roots[project] + rest == declared.Groups[1].Value, $"{file} declares {declared.Groups[1].Value}, its folder says {roots[project] + rest}");
        }
    }

    [Theory]
    [InlineData("ConfigureAwait(", "loops and hosts decide the context; one style everywhere")]
    [InlineData("DateTime.Now", "time comes from TimeProvider")]
    [InlineData("DateTime.UtcNow", "time comes from TimeProvider")]
    [InlineData("DateTimeOffset.UtcNow", "time comes from TimeProvider")]
    [InlineData("Stopwatch.StartNew", "time comes from TimeProvider")]
    [InlineData("Thread.Sleep(", "nothing here waits by sleeping")]
    [InlineData("NotImplementedException", "a feature is there or refused with a message")]
    public void BannedCalls_AreNotInProductCode(string banned, string reason)
    {
        foreach (var file in Repository.SourceFiles.Where(Repository.IsProduct))
            Assert.False(ArrowTests.StripComments(Repository.Read(file)).Contains(banned, StringComparison.Ordinal), $"{file} uses {banned}: {reason}");
    }

    [Fact]
    public void DataPath_StartsNoThreadPoolWork()
    {
        string[] folders = ["lib/Mesh.Http2/", "lib/Mesh.Hbone/", "ztunnel/Outbound/", "ztunnel/Inbound/", "ztunnel/Forwarding/"];
        foreach (var file in Repository.SourceFiles.Where(f => folders.Any(d => f.StartsWith(d, StringComparison.Ordinal))))
        {
            var code = ArrowTests.StripComments(Repository.Read(file));
            foreach (var word in (string[])["Task.Run(", "ThreadPool.", "lock (", "lock("])
                Assert.False(Regex.IsMatch(code, $@"(?<![A-Za-z]){Regex.Escape(word)}"), $"{file} uses {word}: connections live and die on one loop");
        }
    }

    [Fact]
    public void Text_HoldsNoUnfinishedMarksAndNoMachinePaths()
    {
        string[] marks = ["TO" + "DO", "FIX" + "ME", "HA" + "CK:", "/wo" + "rk/", "/fa" + "rm/"];
        string[] patterns = ["*.cs", "*.md", "*.sh", "*.yaml", "*.proto", "*.csproj", "*.props", "*.targets"];
        foreach (var file in patterns.SelectMany(Repository.Files))
        {
            var text = Repository.Read(file);
            foreach (var mark in marks)
                Assert.False(text.Contains(mark, StringComparison.Ordinal), $"{file} contains \"{mark}\"");
        }
    }

    [Fact]
    public void SkippedTests_SayWhyAtRunTimeOnly()
    {
        foreach (var file in Repository.SourceFiles.Where(f => f.StartsWith("tests/", StringComparison.Ordinal)))
            Assert.False(SkipLiteral().IsMatch(Repository.Read(file)), $"{file} switches a test off; use a conditional attribute of Mesh.Testing that states what is missing");
    }

    [Fact]
    public void PackageVersions_AreCentralAndEachGroupHasAReason()
    {
        foreach (var project in Repository.Projects)
            Assert.False(PackageWithVersion().IsMatch(Repository.Read(project)), $"{project} pins a version itself; Directory.Packages.props does");
        Assert.DoesNotContain("<ItemGroup>", Repository.Read("Directory.Packages.props"), StringComparison.Ordinal);
    }

    [GeneratedRegex("<RootNamespace>([^<]+)<")]
    private static partial Regex RootNamespace();

    [GeneratedRegex(@"^namespace ([A-Za-z0-9_.]+);", RegexOptions.Multiline)]
    private static partial Regex NamespaceDeclaration();

    [GeneratedRegex("(Fact|Theory)\\([^)]*Skip *= *\"")]
    private static partial Regex SkipLiteral();

    [GeneratedRegex("<PackageReference [^>]*Version=")]
    private static partial Regex PackageWithVersion();
}
