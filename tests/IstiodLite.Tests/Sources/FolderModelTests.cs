using FsCheck.Xunit;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Files;

namespace Mesh.IstiodLite.Tests.Sources;

/// <summary>After any sequence of writes and removals the folder that was looked at file by file is equal to one that was read at once.</summary>
public sealed class FolderModelTests
{
    [Property(MaxTest = 80)]
    public void Folder_AfterAnyHistory_EqualsOneReadAnew(byte[] history)
    {
        var root = Directory.CreateTempSubdirectory("istiod-lite-test-").FullName;
        try
        {
            var folder = new ConfigFolder(root);
            folder.ScanAll();
            var replayed = new Dictionary<ResourceKey, Resource>();
            Replay(folder.State(), replayed);
            for (var i = 0; i < (history ?? []).Length; i++)
            {
                Step(root, folder, history![i], i);
                if (history[i] % 3 != 0)
                    Replay(folder.State(), replayed);
            }

            var state = folder.State();
            Replay(state, replayed);
            var anew = new ConfigFolder(root);
            anew.ScanAll();
            var expected = anew.State();
            Assert.Equal(Show(expected.Resources), Show(state.Resources));
            Assert.Equal(expected.Problems, state.Problems);
            Assert.Equal(state.Resources.All.ToHashSet(), replayed.Values.ToHashSet());
            Assert.Equal(new ResourceSet(state.Resources.All).Namespaces, state.Resources.Namespaces);
            Assert.All(state.Resources.All, r => Assert.Same(r, state.Resources.Find<NamespaceResource>(r.Kind, r.Namespace, r.Name)));
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    private static void Step(string root, ConfigFolder folder, byte step, int clock)
    {
        var path = Path.Combine(root, $"{step % 4}.yaml");
        if (step / 4 % 4 == 0)
        {
            File.Delete(path);
        }
        else
        {
            // One to three objects of five, so that files contest each other and themselves.
            var names = Enumerable.Range(0, (step / 4 % 4)).Select(i => (step / 16 + (i * (step % 3))) % 5);
            File.WriteAllText(path, string.Concat(names.Select(n => $"apiVersion: v1\nkind: Namespace\nmetadata: {{ name: n{n}, labels: {{ l: v{clock} }} }}\n---\n")));
            File.SetLastWriteTimeUtc(path, new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc).AddSeconds(clock));
        }

        folder.Scan(path);
    }

    private static void Replay(FolderState state, Dictionary<ResourceKey, Resource> replayed)
    {
        foreach (var change in state.Changes)
        {
            Assert.Same(change.Before, replayed.GetValueOrDefault(change.Key));
            if (change.After is { } after)
                replayed[change.Key] = after;
            else
                replayed.Remove(change.Key);
        }
    }

    private static string[] Show(ResourceSet set) => [.. set.Namespaces.Select(n => $"{n.Position} {n.Name}={n.Meta.Label("l")}")];
}
