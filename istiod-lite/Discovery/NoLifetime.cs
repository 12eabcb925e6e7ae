using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Mesh.IstiodLite.Discovery;

/// <summary>Signals are handled by the process, not by each listener.</summary>
internal sealed class NoLifetime : IHostLifetime
{
    public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}

internal static class ListenerServices
{
    public static void LeaveSignalsToTheProcess(this IServiceCollection services) => services.AddSingleton<IHostLifetime, NoLifetime>();
}
