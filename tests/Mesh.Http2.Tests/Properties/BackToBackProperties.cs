using FsCheck.Xunit;

namespace Mesh.Http2.Tests.Properties;

/// <summary>Two engines and a wire that delays and cuts at will: nothing is lost or reordered, both sides agree in the end, and credit is conserved.</summary>
public sealed class BackToBackProperties
{
    [Property(MaxTest = 150)]
    public void RandomSchedule_LosesNothing_AndEndsInMatchingStates(int seed)
    {
        var world = new TwoEngines(new Random(seed));
        for (var step = 0; step < 600; step++)
            world.RandomStep();
        world.Finish();
        world.AssertEverythingArrived();
        world.AssertStatesMatch();
        world.AssertCreditIsConserved();
    }
}
