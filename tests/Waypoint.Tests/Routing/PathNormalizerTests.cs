using Mesh.Waypoint.Routing;

namespace Mesh.Waypoint.Tests.Routing;

public sealed class PathNormalizerTests
{
    [Theory]
    [InlineData("/", "/")]
    [InlineData("/a//b", "/a//b")]
    [InlineData("/a/./b/../c", "/a/c")]
    [InlineData("/a/%2e%2e/b", "/b")]
    [InlineData("/a%2Fb", "/a%2Fb")]
    [InlineData("/enc%2fslash", "/enc%2fslash")]
    [InlineData("/%41%7e", "/A~")]
    [InlineData("/a\\b", "/a/b")]
    [InlineData("/a;v=1/../b", "/b")]
    [InlineData("/x/..;/exact", "/exact")]
    [InlineData("/..", "/")]
    [InlineData("/../exact", "/exact")]
    [InlineData("/a%zz", "/a%zz")]
    [InlineData("/exact%", "/exact%")]
    [InlineData("/a|b^c`{}\"<>", "/a%7Cb%5Ec%60%7B%7D%22%3C%3E")]
    [InlineData("/prefix/%c0%ae%c0%ae/x", "/prefix/%c0%ae%c0%ae/x")]
    [InlineData("/a/b/.", "/a/b/")]
    [InlineData("/a/b/..", "/a/")]
    public void Base_RecordedPaths_AreWhatEnvoyForwards(string path, string expected) =>
        Assert.Equal(expected, PathNormalizer.Normalize(path, PathNormalization.Base));

    [Theory]
    [InlineData("//private/x", "/private/x")]
    [InlineData("/private//x", "/private/x")]
    [InlineData("/private%2Fx", "/private%2Fx")]
    [InlineData("/a///b//", "/a/b/")]
    public void MergeSlashes_SeveralSlashes_BecomeOne(string path, string expected) =>
        Assert.Equal(expected, PathNormalizer.Normalize(path, PathNormalization.MergeSlashes));

    [Theory]
    [InlineData("/private%2Fx", "/private/x")]
    [InlineData("/%2Fprivate/x", "/private/x")]
    [InlineData("/private%5Cx", "/private/x")]
    [InlineData("/a/..%2Fprivate/x", "/private/x")]
    public void DecodeAndMergeSlashes_EncodedSlashes_CountAsSlashes(string path, string expected) =>
        Assert.Equal(expected, PathNormalizer.Normalize(path, PathNormalization.DecodeAndMergeSlashes));

    [Theory]
    [InlineData("/a%00b")]
    [InlineData("abc")]
    [InlineData("")]
    public void Base_PathWithoutMeaning_IsRefused(string path) => Assert.Null(PathNormalizer.Normalize(path, PathNormalization.Base));

    [Fact]
    public void Base_PlainPath_IsTheSameString()
    {
        var path = string.Concat("/products/", "1");
        Assert.Same(path, PathNormalizer.Normalize(path, PathNormalization.Base));
    }

    [FsCheck.Xunit.Property]
    public bool Base_Twice_ChangesNothingMore(FsCheck.NonNull<string> text)
    {
        var path = "/" + new string([.. text.Get.Where(c => c is > ' ' and < '\u007f' and not ('?' or '#'))]);
        var once = PathNormalizer.Normalize(path, PathNormalization.MergeSlashes);

        // Decoding may reveal a new encoded character ("%2541"); everything else is stable.
        return once is null || path.Contains('%', StringComparison.Ordinal) || PathNormalizer.Normalize(once, PathNormalization.MergeSlashes) == once;
    }
}
