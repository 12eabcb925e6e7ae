using CommandLine;
using Mesh.IstiodLite.Commands;
using Mesh.Runtime;

namespace Mesh.IstiodLite;

internal static class Program
{
    private static async Task<int> Main(string[] arguments)
    {
        using var parser = new Parser(settings =>
        {
            settings.HelpWriter = Console.Error;
            settings.CaseInsensitiveEnumValues = true;
        });
        return await parser.ParseArguments<RunOptions, TokenOptions, RotateRootOptions, RevokeOptions, ValidateOptions, TranslateOptions, AnalyzeOptions>(arguments).MapResult(
            (RunOptions options) => RunCommand.ExecuteAsync(options),
            (TokenOptions options) => Task.FromResult(TokenCommand.Execute(options, Console.Out, Console.Error)),
            (ValidateOptions options) => Task.FromResult(ValidateCommand.Execute(options, Console.Out, Console.Error)),
            (RotateRootOptions options) => Task.FromResult(AuthorityCommands.RotateRoot(options, Console.Out, Console.Error)),
            (RevokeOptions options) => Task.FromResult(AuthorityCommands.Revoke(options, Console.Out, Console.Error)),
            (TranslateOptions options) => Task.FromResult(TranslateCommand.Execute(options, Console.Out, Console.Error)),
            (AnalyzeOptions options) => Task.FromResult(AnalyzeCommand.Execute(options, Console.Out, Console.Error)),
            errors => Task.FromResult(Explain([.. errors])));
    }

    /// <summary>After the parser's text, where it is seen: the one thing that people forget most.</summary>
    private static int Explain(IReadOnlyList<Error> errors)
    {
        if (errors.All(e => e.Tag is ErrorType.HelpRequestedError or ErrorType.HelpVerbRequestedError or ErrorType.VersionRequestedError))
            return ExitCodes.Ok;
        if (errors.Any(e => e is MissingRequiredOptionError { NameInfo.NameText.Length: 0 }))
            Console.Error.WriteLine("istiod-lite: name a file or a folder of documents, or - for standard input");
        return ExitCodes.Usage;
    }
}
