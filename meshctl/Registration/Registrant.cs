using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Serialization;

using Mesh.Meshctl.Local;
using Mesh.Runtime;

namespace Mesh.Meshctl.Registration;

/// <summary>What is sent when registering (docs/registration.md).</summary>
internal sealed record RegistrationBody(string? Address, IReadOnlyDictionary<string, string> Labels, string Ttl);

internal sealed record HeartbeatBody(bool Healthy, string? Reason);

internal sealed record RefusalBody(string? Error, string? Fix);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(RegistrationBody))]
[JsonSerializable(typeof(HeartbeatBody))]
[JsonSerializable(typeof(RefusalBody))]
internal sealed partial class RegistrationJson : JsonSerializerContext;

/// <summary>
/// Keeps one instance registered: (1) register  (2) three times in each time to live: check, tell the result; register again when it is forgotten  (3) deregister at the end. A control
/// plane that is away is tried again at the same pace; a refusal for good ends it.
/// </summary>
internal sealed class Registrant(
    HttpClient http, string path, RegistrationBody body, Func<string> token, Func<CancellationToken, Task<string?>> check, TimeSpan ttl, TimeProvider time, Action<string> say)
{
    private string? _said;

    /// <summary>Until cancelled. Throws <see cref="MeshctlException"/> when the control plane refuses for good.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        var registered = false;
        try
        {
            while (!stop.IsCancellationRequested)
            {
                // (1)
                registered = registered || await RegisterAsync(stop);

                // (2)
                if (registered)
                    registered = await BeatAsync(stop);
                if (registered || _said is not null)
                    await Task.Delay(ttl / 3, time, stop);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Asked to end.
        }

        // (3)
        if (registered)
        {
            (await SendAsync(HttpMethod.Delete, path, null, CancellationToken.None))?.Dispose();
            say($"{path} deregistered");
        }
    }

    private async Task<bool> RegisterAsync(CancellationToken stop)
    {
        using var answer = await SendAsync(HttpMethod.Put, path, JsonContent.Create(body, RegistrationJson.Default.RegistrationBody), stop);
        if (answer is null)
            return false;
        if (!answer.IsSuccessStatusCode)
            return await RefusedAsync(answer);
        Say($"{path} registered");
        return true;
    }

    /// <summary>False: it must be registered again.</summary>
    private async Task<bool> BeatAsync(CancellationToken stop)
    {
        var fault = await check(stop);
        Say(fault is null ? $"{path} is well" : $"{path} is out: {fault}");
        using var answer = await SendAsync(HttpMethod.Put, path + "/heartbeat", JsonContent.Create(new HeartbeatBody(fault is null, fault), RegistrationJson.Default.HeartbeatBody), stop);
        if (answer is null || answer.IsSuccessStatusCode)
            return true;
        if (answer.StatusCode != HttpStatusCode.NotFound)
            return await RefusedAsync(answer);
        _said = null;
        return false;
    }

    private async Task<bool> RefusedAsync(HttpResponseMessage answer)
    {
        // Of the server's own trouble it may recover; of what we ask for it will not.
        if ((int)answer.StatusCode >= 500)
        {
            Say($"the control plane answers {(int)answer.StatusCode}; trying again");
            return false;
        }

        RefusalBody? refusal = null;
        try
        {
            refusal = await answer.Content.ReadFromJsonAsync(RegistrationJson.Default.RefusalBody);
        }
        catch (System.Text.Json.JsonException)
        {
            // Not one of our control planes; the status says enough.
        }

        throw new MeshctlException(ExitCodes.Permission, $"the control plane refuses with {(int)answer.StatusCode}: {refusal?.Error}; {refusal?.Fix}.");
    }

    private async Task<HttpResponseMessage?> SendAsync(HttpMethod method, string to, HttpContent? content, CancellationToken stop)
    {
        using var request = new HttpRequestMessage(method, to) { Content = content };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token());
        try
        {
            return await http.SendAsync(request, stop);
        }
        catch (Exception e) when (e is HttpRequestException || (e is OperationCanceledException && !stop.IsCancellationRequested))
        {
            Say($"the control plane cannot be reached: {(e.InnerException ?? e).Message}; trying again");
            return null;
        }
    }

    /// <summary>Only what is new: the same every ten seconds helps nobody.</summary>
    private void Say(string text)
    {
        if (text != _said)
            say(text);
        _said = text;
    }
}
