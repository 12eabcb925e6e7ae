using Mesh.Meshctl.Local;
using Mesh.Runtime;

namespace Mesh.Meshctl.Daemon;

/// <summary>Waits for a component's readiness page.</summary>
internal static class ReadinessProbe
{
    public static async Task WaitAsync(HttpClient http, string path, string name, string log, TimeSpan deadline, TimeProvider time, CancellationToken cancel)
    {
        var started = time.GetTimestamp();
        var last = "it does not answer";
        while (time.GetElapsedTime(started) < deadline)
        {
            try
            {
                using var response = await http.GetAsync(new Uri(path, UriKind.Relative), cancel);
                if (response.IsSuccessStatusCode)
                    return;
                last = (await response.Content.ReadAsStringAsync(cancel)).Trim();
            }
            catch (HttpRequestException e)
            {
                last = e.Message;
            }
            catch (TaskCanceledException) when (!cancel.IsCancellationRequested)
            {
                last = "it does not answer in time";
            }

            await Task.Delay(TimeSpan.FromMilliseconds(30), time, cancel);
        }

        throw new MeshctlException(ExitCodes.Unavailable, $"{name} is not ready after {deadline.TotalSeconds:0} s ({last}); the end of its log: {Tail(log)}");
    }

    private static string Tail(string log) =>
        File.Exists(log) && File.ReadLines(log).Where(l => l.Trim().Length > 0).TakeLast(2).ToList() is { Count: > 0 } lines ? string.Join(" / ", lines) : "it is empty.";
}
