using CommandLine;
using CommandLine.Text;

using Mesh.Meshctl.Daemon;
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

            using var parser = new Parser(s =>
            {
                s.HelpWriter = null;
                s.AutoVersion = false;
                s.CaseInsensitiveEnumValues = true;
            });
            var parsed = parser.ParseArguments(own, _verbs);
            if (parsed is NotParsed<object> wrong)
                return Explain(wrong);
            var options = ((Parsed<object>)parsed).Value;
            if (dashes >= 0 && options is not (RunOptions or ExecOptions or RegisterOptions))
                throw new MeshctlException(ExitCodes.Usage, "only 'run', 'exec' and 'register' take a program after '--'.");
            return await ExecuteAsync(options, program);
        }
        catch (MeshctlException e)
        {
            await Console.Error.WriteLineAsync($"meshctl: {e.Message}");
            return e.ExitCode;
        }
        catch (OperationCanceledException)
        {
            await Console.Error.WriteLineAsync("meshctl: interrupted; nothing was left behind.");
            return Interrupted;
        }
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
            StatusOptions status => StatusCommand.RunAsync(status),
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
        return asked ? ExitCodes.Ok : ExitCodes.Usage;
    }
}
