using Mesh.Model.Collections;

namespace Mesh.Model.Tests.Collections;

public sealed class ValueListTests
{
    [Fact]
    public void Lists_WithEqualItems_AreEqual()
    {
        ValueList<string> a = ["x", "y"];
        ValueList<string> b = ["x", "y"];
        ValueList<string> c = ["y", "x"];

        Assert.Equal(a, b);
        Assert.Equal(a.GetHashCode(), b.GetHashCode());
        Assert.NotEqual(a, c);
        Assert.True(a == b && a != c);
    }

    [Fact]
    public void Default_IsTheEmptyList()
    {
        ValueList<int> none = default;
        ValueList<int> empty = [];

        Assert.Equal(none, empty);
        Assert.True(none.IsEmpty);
        Assert.Empty(none);
        Assert.False(none.Contains(1));
        foreach (var item in none)
            Assert.Fail($"{item} in an empty list");
    }
}
