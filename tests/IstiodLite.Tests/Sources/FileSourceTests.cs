using System.Threading.Channels;
using Mesh.IstiodLite.Sources.Files;

namespace Mesh.IstiodLite.Tests.Sources;

/// <summary>The watcher on a real folder. States are awaited, never slept for.</summary>
public sealed class FileSourceTests : IAsyncDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("istiod-lite-test-").FullName;
    private readonly Channel<FolderState> _states = Channel.CreateUnbounded<FolderState>();
    private readonly FileSource _source;

    public FileSourceTests()
    {
        _source = new FileSource(new ConfigFolder(_root), TimeProvider.System, null);
        _source.Changed += (state, _) => _states.Writer.TryWrite(state);
    }

    public async ValueTask DisposeAsync()
    {
        await _source.DisposeAsync();
        if (Directory.Exists(_root))
            Directory.Delete(_root, recursive: true);
    }

    [Fact]
    public async Task File_WrittenChangedAndRemoved_IsToldEachTime()
    {
        Assert.Empty(_source.Start().Resources.Namespaces);
        _source.Follow();
        Write("a.yaml", "one");
        await UntilAsync("a.yaml=one");
        Write("a.yaml", "two");
        await UntilAsync("a.yaml=two");
        File.Delete(Path.Combine(_root, "a.yaml"));
        await UntilAsync();
    }

    [Fact]
    public async Task File_TruncatedByAnEditor_KeepsItsDocumentsUntilItIsWritten()
    {
        Write("a.yaml", "one");
        _source.Start();
        _source.Follow();
        File.WriteAllText(Path.Combine(_root, "a.yaml"), string.Empty);
        Write("b.yaml", "one");
        // The state that knows of b has looked at a as well.
        await UntilAsync("a.yaml=one", "b.yaml=one");
        Write("a.yaml", "two");
        await UntilAsync("a.yaml=two", "b.yaml=one");
        File.WriteAllText(Path.Combine(_root, "a.yaml"), string.Empty);
        await UntilAsync("b.yaml=one");
    }

    [Fact]
    public async Task Folder_MovedInAndOut_BringsAndTakesItsFiles()
    {
        _source.Start();
        _source.Follow();
        var outside = Directory.CreateTempSubdirectory("istiod-lite-test-").FullName;
        Directory.CreateDirectory(Path.Combine(outside, "sub", "deep"));
        await File.WriteAllTextAsync(Path.Combine(outside, "sub", "deep", "c.yaml"), Text("c.yaml", "one"));
        Directory.Move(Path.Combine(outside, "sub"), Path.Combine(_root, "sub"));
        await UntilAsync("c.yaml=one");
        await File.WriteAllTextAsync(Path.Combine(_root, "sub", "deep", "c.yaml"), Text("c.yaml", "two"));
        await UntilAsync("c.yaml=two");
        Directory.Move(Path.Combine(_root, "sub"), Path.Combine(outside, "sub"));
        await UntilAsync();
        Directory.Delete(outside, recursive: true);
    }

    [Fact]
    public async Task Refresh_ReturnsWhenWhatIsThereHasBeenTold()
    {
        _source.Start();
        _source.Follow();
        Write("a.yaml", "one");
        await _source.RefreshAsync();
        Assert.True(_states.Reader.TryRead(out var state));
        Assert.Equal(["a.yaml=one"], Labels(state));
    }

    [Fact]
    public async Task Root_Gone_KeepsTheStateAndIsFoundAgain()
    {
        Write("a.yaml", "one");
        _source.Start();
        _source.Follow();
        // Moved, not deleted: deleting takes the files away first, and a watcher that is quick enough rightly sees them go one by one.
        var elsewhere = _root + "-moved";
        Directory.Move(_root, elsewhere);
        Directory.Delete(elsewhere, recursive: true);
        await _source.RefreshAsync();
        await UntilAsync(s => s.Problems.Any(p => p.Reason.Contains("is gone", StringComparison.Ordinal)) && Labels(s) is ["a.yaml=one"]);
        Directory.CreateDirectory(_root);
        Write("b.yaml", "one");
        await _source.RefreshAsync();
        await UntilAsync("b.yaml=one");
        Write("c.yaml", "one");
        await UntilAsync("b.yaml=one", "c.yaml=one");
    }

    private Task UntilAsync(params string[] labels) => UntilAsync(s => Labels(s).SequenceEqual(labels, StringComparer.Ordinal));

    private async Task UntilAsync(Func<FolderState, bool> reached)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var last = string.Empty;
        try
        {
            await foreach (var state in _states.Reader.ReadAllAsync(limit.Token))
            {
                if (reached(state))
                    return;
                last = string.Join(' ', Labels(state));
            }
        }
        catch (OperationCanceledException)
        {
            Assert.Fail($"the state did not come; the last one was: {last}");
        }
    }

    private static string[] Labels(FolderState state) => [.. state.Resources.Namespaces.Select(n => $"{n.Name}={n.Meta.Label("l")}").Order(StringComparer.Ordinal)];

    private static string Text(string name, string label) => $"apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {name}, labels: {{ l: {label} }} }}\n";

    private void Write(string name, string label)
    {
        var temporary = Path.Combine(_root, "." + name + ".new");
        File.WriteAllText(temporary, Text(name, label));
        File.Move(temporary, Path.Combine(_root, name), overwrite: true);
    }
}
