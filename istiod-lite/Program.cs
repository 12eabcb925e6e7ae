namespace Mesh.IstiodLite;

internal static class Program
{
    private static int Main() => 0;
}
