using Mesh.Meshctl.Wire;

namespace Mesh.Meshctl.Demo.Steps;

/// <summary>2: the recordings of both uplinks hold TLS 1.3 on port 15008 and nothing of the request or the response.</summary>
internal sealed class WireIsEncrypted : IDemoStep
{
    private const int Hbone = 15008;

    public int Number => 2;

    public string Title => "the wire between the nodes: only TLS 1.3 on 15008, nothing in clear";

    public async Task<StepResult> RunAsync(DemoStage stage, CancellationToken cancel)
    {
        var passed = stage.Taps.Count > 0;
        List<string> evidence = [];
        foreach (var tap in stage.Taps)
        {
            var recording = await tap.StopAsync(cancel);
            var found = WireRecord.Read(recording);
            var clear = WireTap.Holds(recording, stage.RequestMarker) || WireTap.Holds(recording, stage.ResponseMarker) || WireTap.Holds(recording, "HTTP/1.1");
            passed &= found.OnlyTls13On(Hbone) && !clear;
            evidence.Add(
                $"uplink of {tap.Node}: {found.Packets} packets with data, new connections to port {string.Join(", ", found.Ports)}, {found.Tls13} of {found.Handshakes} handshakes TLS 1.3, "
                + (clear ? "THE REQUEST OR RESPONSE IS READABLE" : $"neither {stage.RequestMarker[..16]}... nor {stage.ResponseMarker[..16]}... nor \"HTTP/1.1\" in {recording.Length} bytes"));
            evidence.AddRange(found.Foreign);
        }

        stage.Taps.Clear();
        return new StepResult(passed, passed ? "encrypted" : "not only TLS 1.3", evidence);
    }
}
