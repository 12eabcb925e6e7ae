using Mesh.Meshctl.Commands;
using Mesh.Runtime;

namespace Mesh.Meshctl.Tests.Commands;

public sealed class ExitCodeTests
{
    [Theory]
    [InlineData("")]
    [InlineData("fly")]
    [InlineData("run")]
    [InlineData("up --nodes many")]
    [InlineData("up --nodes 0")]
    [InlineData("up --nodes 201")]
    [InlineData("up --cert-ttl soon")]
    [InlineData("up --cert-ttl 1s")]
    [InlineData("up --name UPPER")]
    [InlineData("up --no-such-option")]
    [InlineData("status -- ls")]
    [InlineData("exec pod")]
    [InlineData("delete")]
    [InlineData("run a --labels novalue -d")]
    [InlineData("run a --ready-port 80 -- true")]
    public async Task Command_WrongArguments_ExitsWithUsage(string line) =>
        Assert.Equal(ExitCodes.Usage, await RunAsync(line));

    [Theory]
    [InlineData("help")]
    [InlineData("--help")]
    [InlineData("run --help")]
    [InlineData("version")]
    [InlineData("down --name never-was-up")]
    public async Task Command_InOrder_ExitsWithZero(string line) =>
        Assert.Equal(ExitCodes.Ok, await RunAsync(line));

    [Theory]
    [InlineData("status --name never-was-up")]
    [InlineData("run a --name never-was-up -- true")]
    [InlineData("logs x --name never-was-up")]
    public async Task Command_MeshIsNotUp_ExitsWithUnavailable(string line) =>
        Assert.Equal(ExitCodes.Unavailable, await RunAsync(line));

    [Fact]
    public async Task Apply_FileIsNotThere_ExitsWithData() =>
        Assert.Equal(ExitCodes.Data, await RunAsync("apply -f /no/such/file.yaml --name never-was-up"));

    [Theory]
    [InlineData("statsu", "there is no command \"statsu\"; did you mean \"meshctl status\"?")]
    [InlineData("frobnicate", "there is no command \"frobnicate\"")]
    [InlineData("apply nope.yaml", "the option -f or --filename is missing")]
    [InlineData("up --no-such-option", "there is no option \"no-such-option\" here")]
    [InlineData("logs", "an argument is missing: those above that are called required and have no dash")]
    public void WrongArguments_AreOneSentence(string line, string sentence)
    {
        var wrong = CommandLineEntry.Parse(line.Split(' '));
        Assert.Contains(sentence, Assert.IsType<CommandLine.NotParsed<object>>(wrong).Errors.Select(CommandLineEntry.Sentence));
    }

    private static Task<int> RunAsync(string line) => CommandLineEntry.RunAsync(line.Split(' ', StringSplitOptions.RemoveEmptyEntries));
}
