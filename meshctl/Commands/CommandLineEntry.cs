using System.Reflection;

using CommandLine;
using CommandLine.Text;

using Mesh.Meshctl.Daemon;
using Mesh.Meshctl.Install;
using Mesh.Meshctl.Local;
using Mesh.Runtime;

namespace Mesh.Meshctl.Commands;

/// <summary>From the arguments to a command and its exit code.</summary>
internal static class CommandLineEntry
{
    // 128 + SIGINT, as a shell reports it.
    private const int Interrupted = 130;

    private static readonly Type[] _verbs =
    [
        typeof(UpOptions), typeof(RunOptions), typeof(ExecOptions), typeof(ApplyOptions), typeof(DeleteOptions), typeof(StatusOptions), typeof(LogsOptions), typeof(DownOptions),
        typeof(DemoOptions), typeof(RecordOptions), typeof(RegisterOptions), typeof(WhyOptions), typeof(ValidateOptions), typeof(TranslateOptions), typeof(AnalyzeOptions),
        typeof(InstallOptions), typeof(UpgradeOptions), typeof(UninstallOptions), typeof(CheckOptions), typeof(VersionOptions), typeof(DaemonOptions),
    ];

    public static async Task<int> RunAsync(string[] args)
    {
        try
        {
            if (DocumentCommands.Answers(args))
                return await DocumentCommands.RunAsync(args);

            // What follows "--" belongs to the program, whatever it looks like.
            var dashes = Array.IndexOf(args, "--");
            var own = dashes < 0 ? args : args[..dashes];
            var program = dashes < 0 ? [] : args[(dashes + 1)..];

            var parsed = Parse(own);
            if (parsed is NotParsed<object> wrong)
                return Explain(wrong);
            var options = ((Parsed<object>)parsed).Value;
            if (dashes >= 0 && options is not (RunOptions or ExecOptions or RegisterOptions))
                throw new MeshctlException(ExitCodes.Usage, "only 'run', 'exec' and 'register' take a program after '--'.");
            return await ExecuteAsync(options, program);
        }
        catch (MeshctlException e)
        {
            await Console.Error.WriteLineAsync($"meshctl: {OneFullStop(e.Message)}");
            return e.ExitCode;
        }
        catch (OperationCanceledException)
        {
            await Console.Error.WriteLineAsync("meshctl: interrupted; nothing was left behind.");
            return Interrupted;
        }
    }

    internal static ParserResult<object> Parse(string[] arguments)
    {
        using var parser = new Parser(s =>
        {
            s.HelpWriter = null;
            s.AutoVersion = false;
            s.CaseInsensitiveEnumValues = true;
        });
        return parser.ParseArguments(arguments, _verbs);
    }

    private static Task<int> ExecuteAsync(object options, string[] program)
    {
        var time = TimeProvider.System;
        return options switch
        {
            UpOptions up => UpCommand.RunAsync(up, time),
            RunOptions run => RunCommand.RunAsync(run, program),
            ExecOptions exec => ExecCommand.RunAsync(exec, program),
            ApplyOptions apply => ApplyCommand.RunAsync(apply),
            DeleteOptions delete => DeleteCommand.RunAsync(delete),
            StatusOptions status => StatusCommand.RunAsync(status, time),
            LogsOptions logs => LogsCommand.RunAsync(logs, time),
            DownOptions down => DownCommand.RunAsync(down, time),
            RecordOptions record => RecordCommand.RunAsync(record, time),
            RegisterOptions register => RegisterCommand.RunAsync(register, program, time),
            DemoOptions demo => DemoCommand.RunAsync(demo, time),
            WhyOptions why => WhyCommand.RunAsync(why),
            InstallOptions install => InstallCommand.RunAsync(install, time),
            UpgradeOptions upgrade => InstallCommand.RunAsync(upgrade, time),
            UninstallOptions uninstall => InstallCommand.RunAsync(uninstall, time),
            CheckOptions check => InstallCommand.RunAsync(check, time),
            VersionOptions => VersionCommand.RunAsync(),
            DaemonOptions daemon => MeshDaemon.RunAsync(daemon, time),
            _ => throw new InvalidOperationException(options.GetType().Name),
        };
    }

    private static int Explain(NotParsed<object> wrong)
    {
        var text = HelpText.AutoBuild(wrong, h =>
        {
            h.Heading = "meshctl: a service mesh on one Linux machine";
            h.Copyright = "usage: meshctl VERB [options] [-- PROGRAM ARGS]";
            h.AdditionalNewLineAfterOption = false;
            h.AutoVersion = false;
            h.MaximumDisplayWidth = 140;
            return HelpText.DefaultParsingErrorsHandler(wrong, h);
        }, e => e, verbsIndex: wrong.Errors.Any(e => e.Tag is ErrorType.NoVerbSelectedError or ErrorType.HelpVerbRequestedError or ErrorType.BadVerbSelectedError), maxDisplayWidth: 140);
        var asked = wrong.Errors.All(e => e.Tag is ErrorType.HelpRequestedError or ErrorType.HelpVerbRequestedError);
        (asked ? Console.Out : Console.Error).WriteLine(text);
        // Last, where it is seen: the text above may be longer than a screen.
        if (!asked)
            Console.Error.WriteLine($"meshctl: {string.Join("; ", wrong.Errors.Select(Sentence).Distinct(StringComparer.Ordinal))}.");
        return asked ? ExitCodes.Ok : ExitCodes.Usage;
    }

    internal static string Sentence(Error error) => error switch
    {
        BadVerbSelectedError verb => $"there is no command \"{verb.Token}\"{(Nearest(verb.Token) is { } near ? $"; did you mean \"meshctl {near}\"?" : string.Empty)}",
        NoVerbSelectedError => "name a command; those above are there",
        MissingRequiredOptionError { NameInfo.NameText.Length: > 0 } option => $"the option {string.Join(" or ", option.NameInfo.NameText.Split(", ").Select(n => n.Length == 1 ? $"-{n}" : $"--{n}"))} is missing",
        MissingRequiredOptionError => "an argument is missing: those above that are called required and have no dash",
        UnknownOptionError option => $"there is no option \"{option.Token}\" here",
        BadFormatConversionError option => $"the value of {(option.NameInfo.LongName.Length > 0 ? $"--{option.NameInfo.LongName}" : "an argument")} has another form than is needed",
        MissingValueOptionError option => $"--{option.NameInfo.LongName} needs a value",
        _ => "these arguments cannot be understood together",
    };

    private static string? Nearest(string token) =>
        _verbs.Select(t => t.GetCustomAttribute<VerbAttribute>()!).Where(v => !v.Hidden).Select(v => v.Name).Where(v => Spelling.Distance(v, token) <= 2 && Spelling.Distance(v, token) < v.Length).MinBy(v => Spelling.Distance(v, token));

    /// <summary>Sentences end in what a library said, which may have ended already.</summary>
    private static string OneFullStop(string message) => message switch
    {
        [.. var begin, '.', '.'] => begin.TrimEnd('.') + ".",
        [.. var begin, '?', '.'] => begin + "?",
        _ => message,
    };
}
