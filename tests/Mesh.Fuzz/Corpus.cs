using System.Globalization;

namespace Mesh.Fuzz;

/// <summary>
/// The saved inputs of one target, Corpus/&lt;target&gt;/*.hex (or *.txt where they are text), and how often they are mutated. An input that once broke
/// something is added there with a name that says what it was.
/// </summary>
internal static class Corpus
{
    /// <summary>Mutations per target in an ordinary test run; MESH_FUZZ_ITERATIONS asks for more.</summary>
    public static int Iterations(int ordinary) =>
        int.TryParse(Environment.GetEnvironmentVariable("MESH_FUZZ_ITERATIONS"), NumberStyles.None, CultureInfo.InvariantCulture, out var asked) ? asked : ordinary;

    public static IReadOnlyList<(string Name, byte[] Bytes)> Load(string target)
    {
        var files = Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "Corpus", target)).Order(StringComparer.Ordinal);
        return [.. files.Select(f => (Path.GetFileNameWithoutExtension(f), f.EndsWith(".txt", StringComparison.Ordinal) ? File.ReadAllBytes(f) : Convert.FromHexString(string.Concat(File.ReadLines(f)))))];
    }

    /// <summary>
    /// Every saved input as it is, then mutations of them. The seed is fixed, so that a failure is the same everywhere; the message carries the
    /// input, ready to be saved.
    /// </summary>
    public static void Run(string target, int ordinary, Action<byte[], Random> check)
    {
        var seeds = Load(target);
        Assert.NotEmpty(seeds);
        foreach (var (name, bytes) in seeds)
            Check(target, name, bytes, new Random(0), check);
        var mutator = new Mutator(new Random(20_260_701), [.. seeds.Select(s => s.Bytes)]);
        for (var i = 0; i < Iterations(ordinary); i++)
            Check(target, $"mutation {i}", mutator.Next(), new Random(i), check);
    }

    private static void Check(string target, string name, byte[] bytes, Random random, Action<byte[], Random> check)
    {
        try
        {
            check(bytes, random);
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"{target}, {name}: {e.Message}\n{Convert.ToHexStringLower(bytes)}", e);
        }
    }
}
